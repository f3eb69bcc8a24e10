/** Text for a field from the clipboard, or from a QR code by the camera or in a picture, where the browser can. */

import { h } from '../dom.js';
import { button } from './basic.js';

/** Between two looks at the camera picture. */
const LOOK_MS = 200;

export function canScan() {
  return 'BarcodeDetector' in globalThis;
}

/**
 * Buttons beside a field, and what shows above them while the camera looks.
 * @param {import('../app.js').App} app
 * @param {{scanning: boolean}} state
 * @param {string} id of the field
 * @param {(text: string) => void} take
 * @returns {{viewfinder: import('../dom.js').Child, buttons: import('../dom.js').Child}}
 */
export function takers(app, state, id, take) {
  const scan = (/** @type {boolean} */ scanning) => { state.scanning = scanning; app.refresh(); };
  const paste = async () => {
    try {
      take(await navigator.clipboard.readText());
    } catch {
      app.say('The browser did not allow reading the clipboard. Press Ctrl+V in the field.');
      document.getElementById(id)?.focus();
    }
  };
  return {
    viewfinder: state.scanning && scanner(app, (text) => { scan(false); take(text); }, () => scan(false)),
    buttons: [
      button('Paste', { icon: 'paste', slim: true, onclick: paste }),
      canScan() && !state.scanning && button('Scan QR', { icon: 'scan', slim: true, onclick: () => scan(true) }),
    ],
  };
}

/**
 * @param {import('../app.js').App} app
 * @param {(text: string) => void} found
 * @param {() => void} stopped
 */
function scanner(app, found, stopped) {
  return h('div', { class: 'stack', key: 'scanner' },
    h('video', {
      class: 'viewfinder', playsinline: true, muted: true, 'aria-label': 'Camera', key: 'video',
      ref: (/** @type {HTMLVideoElement} */ video) => { watch(video, found).catch(() => { app.say('The camera cannot be used. Choose a picture, or paste the text.'); }); },
    }),
    h('div', { class: 'row' },
      h('label', { class: 'button slim' }, 'Choose a picture', h('input', {
        class: 'unseen', type: 'file', accept: 'image/*',
        onchange: async (/** @type {any} */ event) => {
          const [file] = event.target.files;
          if (!file) return;
          const text = await read(await createImageBitmap(file)).catch(() => null);
          if (text) found(text);
          else app.say('There is no QR code in this picture.');
        },
      })),
      button('Stop scanning', { slim: true, onclick: stopped })));
}

/** @param {ImageBitmapSource} source @returns {Promise<string | null>} */
async function read(source) {
  const detector = new /** @type {any} */ (globalThis).BarcodeDetector({ formats: ['qr_code'] });
  const [code] = await detector.detect(source);
  return code?.rawValue ?? null;
}

/**
 * Looks until something is found or the element has left the page; then the camera is off.
 * @param {HTMLVideoElement} video
 * @param {(text: string) => void} found
 */
async function watch(video, found) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  video.srcObject = stream;
  await video.play();
  const stop = () => stream.getTracks().forEach((track) => track.stop());
  const look = async () => {
    if (!video.isConnected) return stop();
    const text = await read(video).catch(() => null);
    if (text && video.isConnected) {
      stop();
      return found(text);
    }
    setTimeout(look, LOOK_MS);
  };
  look();
}
