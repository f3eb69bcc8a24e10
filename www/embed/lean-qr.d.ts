/** A QR code of a text in UTF-8, with the least correction. Throws when it does not fit. */
export function generate(text: string): { size: number; get(x: number, y: number): boolean };
