/** What dom.js works with. */
export interface VElement { tag: string; key: unknown; props: Record<string, any>; children: VNode[] }
export type VNode = VElement | string;
export interface Children extends ReadonlyArray<Child> {}
export type Child = VNode | number | bigint | null | undefined | boolean | Children;
