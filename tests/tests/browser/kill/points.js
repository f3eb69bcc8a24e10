/**
 * Stands before the worker's own script in this test: counts the points of the worker, which are before and
 * after every durable write and every message to a bank, and ends the worker at one of them.
 *
 * The page says on the channel `crash-points` at which: `{left}` points from now, never if 0. The answer is
 * how many were passed since the last time. At its end the worker tells its page as the engine's crash does,
 * whereupon the page terminates it; nothing is stored, sent or told any more until then. (Were it to wait in
 * an endless loop instead, the browser would let it run for two more seconds.)
 */
{
  const CRASH = { code: 'engine.crashed', message: 'ended by a test', retryable: true, data: null };
  let passed = 0;
  let left = 0;
  let ended = false;

  const points = new BroadcastChannel('crash-points');
  points.addEventListener('message', ({ data }) => {
    if (ended) return;
    left = data.left;
    points.postMessage({ passed });
    passed = 0;
  });

  const tell = self.postMessage.bind(self);
  self.postMessage = (message) => { if (!ended) tell(message); };

  const stopIfEnded = () => { if (ended) throw new Error('this worker was ended'); };
  const pass = () => {
    stopIfEnded();
    passed += 1;
    if (left === 0) return;
    left -= 1;
    if (left > 0) return;
    ended = true;
    tell({ type: 'down', error: CRASH, fatal: false });
    stopIfEnded();
  };

  const { transaction } = IDBDatabase.prototype;
  IDBDatabase.prototype.transaction = function (...of) {
    stopIfEnded();
    const made = transaction.apply(this, of);
    // Heard before the engine hears it.
    if (made.mode === 'readwrite') made.addEventListener('complete', pass);
    return made;
  };
  const { commit } = IDBTransaction.prototype;
  IDBTransaction.prototype.commit = function () {
    try {
      if (this.mode === 'readwrite') pass();
    } catch (end) {
      this.abort();
      throw end;
    }
    commit.call(this);
  };

  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    const toBank = this.url.includes('/v1/peers/');
    if (toBank) pass();
    send.call(this, data);
    if (toBank) pass();
  };
}
