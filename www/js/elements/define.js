/** Registers the custom elements. */

import { FairTime } from './fair-time.js';

customElements.define('fair-time', FairTime);
