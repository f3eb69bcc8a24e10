/**
 * On a test network: money for a wallet that has none, all the way to a bank.
 * Each step looks at what is there, so that it can be begun again anywhere.
 */

/** @typedef {import('../app.js').App} App */

const FRD = 1;
/** How much the bank may owe uninsured, and how much is deposited at least, in whole units. */
const CREDIT_LIMIT = 1_000n;
const DEPOSIT = 100n;
/** Of the on-chain balance one part in so many stays for fees. */
const KEPT_FOR_FEES = 10n;

/**
 * @param {App} app
 * @param {bigint} needed so much can be sent afterwards
 * @param {(step: string) => void} say
 */
export async function fund(app, needed, say) {
  const { client } = app;
  const frd = (await client.assets()).find(({ id }) => id === FRD);
  if (!frd) throw new Error('this network has no FRD');
  const unit = 10n ** BigInt(frd.decimals);
  const balance = async () => (await client.balances()).find(({ asset }) => asset.id === FRD);

  if (((await balance())?.canSend ?? 0n) >= needed) return;
  if (((await balance())?.onchain ?? 0n) === 0n) {
    say('The faucet of this test network is asked for money.');
    await client.faucet({ asset: FRD });
    say('It comes with the next block.');
    await until(app, async () => ((await balance())?.onchain ?? 0n) > 0n);
  }
  if ((await client.channels()).length === 0) {
    const [bank] = await client.banks();
    await client.addBank({ bank: bank.account.key, credit: [{ asset: FRD, limit: CREDIT_LIMIT * unit, insureAbove: null }] });
  }
  say('Your bank is called.');
  const channel = await until(app, async () => (await client.channels()).find(({ connection }) => connection === 'online'));
  const onchain = (await balance())?.onchain ?? 0n;
  const most = onchain - onchain / KEPT_FOR_FEES;
  const wanted = needed + needed / KEPT_FOR_FEES > DEPOSIT * unit ? needed + needed / KEPT_FOR_FEES : DEPOSIT * unit;
  say('A deposit with your bank is signed.');
  const you = (await client.status()).account?.key ?? '';
  const amount = wanted < most ? wanted : most;
  await client.draftAdd({ operation: { kind: 'deposit', asset: FRD, amount, to: you, partner: channel.bank.account.key, invoice: null } });
  await client.signAndSend({ key: crypto.randomUUID() });
  say('The deposit waits for the next block.');
  await until(app, async () => ((await balance())?.canSend ?? 0n) > 0n);
}

/**
 * Looks again whenever something changed.
 * @template T
 * @param {App} app
 * @param {() => Promise<T>} look
 * @returns {Promise<NonNullable<T>>}
 */
async function until(app, look) {
  for (;;) {
    // Begun before looking: what changes meanwhile is not missed.
    const changed = nextChange(app);
    const seen = await look();
    if (seen) return seen;
    await changed;
  }
}

/** @param {App} app */
function nextChange(app) {
  return new Promise((resolve) => {
    /** @type {(() => void)[]} */
    const off = [];
    const end = () => { for (const stop of off) stop(); resolve(undefined); };
    for (const event of /** @type {const} */ (['head', 'channel', 'batch'])) off.push(app.client.on(event, end));
  });
}
