/** Two short tones for a payment that came in, made here: no file, no network. */

const TONES_HZ = [660, 990];
const TONE_S = 0.14;
const LOUDNESS = 0.2;

/** @type {AudioContext | null} */
let context = null;

/** To be called in a click or key press, before which browsers allow no sound. */
export function wakeSound() {
  try {
    context ??= new AudioContext();
    context.resume().catch(() => {});
  } catch {
    // A device without sound: the payment is still to be seen.
    context = null;
  }
}

export function chime() {
  if (!context) return;
  TONES_HZ.forEach((frequency, index) => {
    if (!context) return;
    const start = context.currentTime + index * TONE_S;
    const tone = new OscillatorNode(context, { frequency });
    const loudness = new GainNode(context, { gain: LOUDNESS });
    loudness.gain.setTargetAtTime(0, start + TONE_S / 2, TONE_S / 4);
    tone.connect(loudness).connect(context.destination);
    tone.start(start);
    tone.stop(start + 2 * TONE_S);
  });
}
