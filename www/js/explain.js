/**
 * What a typed error means to a person: what happened, and one next step.
 * Unknown codes fall back to the engine's own sentence.
 */

import { countText } from './format.js';

/**
 * `whole`: nothing of the error's own message is shown, which writes times as a machine does.
 * @typedef {{title: string, next: string | null, whole?: boolean}} Meaning
 */

/** What each check of the verifier looks at, for "a block whose … does not verify". */
const CHECKS = /** @type {Record<string, string>} */ ({
  'chain.malformed': 'encoding',
  'chain.unknown_version': 'version',
  'chain.wrong_chain': 'network',
  'chain.bad_genesis': 'genesis document',
  'chain.wrong_height': 'height',
  'chain.wrong_previous': 'link to the block before it',
  'chain.too_early': 'time',
  'chain.from_the_future': 'time (it lies in the future)',
  'chain.wrong_usable_height': 'count of usable blocks',
  'chain.unknown_proposer': 'proposer',
  'chain.wrong_validators': 'validator set',
  'chain.wrong_next_validators': 'next validator set',
  'chain.wrong_parameters': 'parameters',
  'chain.wrong_batches': 'list of batches',
  'chain.wrong_batches_root': 'commitment to its batches',
  'chain.too_large': 'size',
  'chain.bad_batch': 'content',
  'chain.wrong_state_root': 'state root',
  'chain.certificate_for_other_block': 'certificate (it is for another block)',
  'chain.certificate_height': 'certificate (it is for another height)',
  'chain.certificate_length': 'certificate (its length)',
  'chain.certificate_block_hash': 'certificate (the block that it names)',
  'chain.certificate_vote': 'certificate (what it says was signed)',
  'chain.certificate_signature': 'signature',
  'chain.no_quorum': 'number of signatures',
  'chain.bad_proof': 'proof',
});

/** @type {Record<string, Meaning>} */
const MEANINGS = {
  'engine.interrupted': { title: 'The wallet restarted meanwhile', next: 'Look under Activity whether it was done before you try again.' },
  'engine.crashed': { title: 'The wallet engine stopped', next: 'It is starting again from what is stored; nothing is lost.' },
  'engine.load_failed': { title: 'The wallet engine could not be loaded', next: 'Check the connection and load the page again.' },
  'browser.unsupported': { title: 'This browser lacks something that the wallet needs', next: 'Use a current Chrome, Edge, Firefox or Safari over https.' },
  'storage.newer': { title: 'This wallet was opened by a newer version', next: 'Load the page again to get the newer version.' },
  'storage.failed': { title: 'The browser could not store a change', next: 'Free some space, then load the page again.' },
  'storage.full': { title: 'There is no room left to store wallet data', next: 'Free some space, then load the page again.' },
  'storage.fenced': { title: 'Another tab has taken over this wallet', next: 'Continue there, or load this page again.' },
  'storage.unavailable': { title: 'The browser gives no storage to this page', next: 'Leave the private window, or allow storage for this page.' },
  'storage.damaged': { title: 'What is stored here cannot be read', next: 'Wipe the wallet in the settings and restore it from its words.' },
  'storage.unreadable': { title: 'What is stored here cannot be read', next: 'Load the page again. If it stays, wipe the wallet and restore it from its words.' },
  'wallet.wrong_password': { title: 'This is not the password', next: 'Try again, or restore the wallet from its words.' },
  'wallet.weak_password': { title: 'The password is too short', next: 'Use at least 8 characters.' },
  'wallet.none': { title: 'There is no wallet in this browser', next: 'Create or restore one.' },
  'wallet.damaged': { title: 'The stored keys cannot be read', next: 'Wipe the wallet and restore it from its words.' },
  'wallet.wrong_words': { title: 'These are not the words', next: 'Compare with what you wrote down, word by word.' },
  'wallet.bad_words': { title: 'These words do not form a wallet', next: 'Check spelling and order.' },
  'wallet.exists': { title: 'This browser already holds a wallet', next: 'Unlock it, or wipe it in the settings first.' },
  'wallet.locked': { title: 'The wallet is locked', next: 'Unlock it with your password.' },
  'chain.new_rules': { title: 'The network follows new rules', next: 'Load the page again to get the release that knows them. Until then nothing is verified or signed.' },
  'relay.unreachable': { title: 'The relay does not answer', next: 'The wallet tries again by itself.' },
  'relay.withholding': { title: 'This relay announces blocks that it does not deliver', next: 'Others are used instead.' },
  'relay.malformed': { title: 'The relay answered with something unreadable', next: 'Another relay may help; see the settings.' },
  'relay.rate_limited': { title: 'The relay asks to wait', next: 'Try again in a moment.' },
  'chain.unknown_block': { title: 'There is no such block', next: 'The chain may not have reached this height yet.' },
  'chain.before_snapshot': { title: 'This block is not here', next: 'This browser began with a later snapshot and keeps no blocks before it; nothing here can say more of it than that its state led to what you see. Relays and nodes that began at genesis serve it.' },
  'relay.before_snapshot': { title: 'This relay has no blocks this old', next: 'Another relay or a snapshot leads there.' },
  'chain.unknown_account': { title: 'Nobody has used this account on the chain', next: 'Check the number or key.' },
  'channel.stale_head': { title: 'The newest block is too old to act on', next: 'Wait until the wallet is up to date.' },
  'chain.expired': { title: 'This wallet has not looked at the network for too long', next: 'Confirm a newer block with somebody you trust; if this device’s clock is wrong, set it right.', whole: true },
  'chain.other_checkpoint': { title: 'These blocks do not lead to the one that you confirmed', next: 'Another relay may have the right ones. If none has, compare the block again.' },
  'chain.not_ahead': { title: 'This block is no newer than what the wallet knows', next: 'Confirm one that is.' },
  'input.checkpoint': { title: 'This names no block', next: 'A height, a colon and 64 hexadecimal digits are needed.' },
  'relay.slow_headers': { title: 'This relay sends too slowly', next: 'Others are asked first, then it again.' },
  'relay.too_slow': { title: 'This relay sends too slowly', next: 'Another one is asked, or blocks are used.' },
  'chain.fork': { title: 'Two certified blocks exist at one height', next: 'Do not sign anything. Ask the validators what happened.' },
  'batch.unknown_signer': { title: 'Your account is not on the chain yet', next: 'The first deposit to it registers it.' },
  'batch.unregistered': { title: 'Your account is not on the chain yet', next: 'The first deposit to it registers it.' },
  'batch.cannot_pay_fee': { title: 'Not enough FRD for the fee', next: 'Leave some FRD on your on-chain balance.' },
  'batch.not_enough': { title: 'Not enough on-chain balance', next: 'Use a smaller amount.' },
  'batch.zero_amount': { title: 'The amount is zero', next: 'Enter an amount.' },
  'batch.deposit_to_self': { title: 'This would send to your own balance', next: 'Choose a channel or another account.' },
  'batch.self_channel': { title: 'Nobody has a channel with themselves', next: 'Choose another partner.' },
  'batch.registration_needs_frd': { title: 'This account is not registered yet, and only FRD makes an account', next: 'Send it FRD first.' },
  'batch.registration_too_small': { title: 'This account is not registered yet, and the amount is too small to make it', next: 'Send more.' },
  'batch.two_unknown_keys': { title: 'Neither of the two is registered', next: 'Send FRD to one of them first.' },
  'batch.wrong_epoch': { title: 'The channel has gone through a dispute meanwhile', next: 'Look at the channel and decide again.' },
  'batch.consent_expired': { title: 'The bank’s consent has run out', next: 'Ask for the withdrawal again.' },
  'batch.wrong_consent_nonce': { title: 'The bank’s consent was used already', next: 'Ask for the withdrawal again.' },
  'batch.more_than_insurance': { title: 'The channel holds less insurance than this', next: 'Ask for a smaller withdrawal.' },
  'batch.group': { title: 'Another action of its group was skipped, so this one was too', next: null },
  'batch.debts_first': { title: 'You have debts in this asset, and they are paid first', next: 'Spend it when they are paid; see On-chain.' },
  'batch.accused_unknown': { title: 'The other side has no account on the chain and could not answer', next: 'Deposit to it first.' },
  'batch.nothing_at_stake': { title: 'There is nothing in this channel that court could decide about', next: null },
  'batch.already_in_court': { title: 'The channel is in court already', next: 'Wait until court has decided.' },
  'batch.not_in_court': { title: 'The channel is not in court', next: null },
  'batch.not_newer': { title: 'Court knows this state, or a newer one', next: null },
  'batch.answer_too_late': { title: 'The time for newer states was over', next: null },
  'batch.missing_state_signature': { title: 'The other side has not signed this state', next: null },
  'batch.bad_state_signature': { title: 'The signature under this state is wrong', next: null },
  'batch.other_channel': { title: 'The state belongs to another channel', next: null },
  'batch.not_a_validator': { title: 'Only validators propose and vote', next: null },
  'batch.too_many_proposals': { title: 'As many of your proposals are open as a validator may have', next: 'Propose it again when one of them is decided.' },
  'batch.unknown_proposal': { title: 'There is no such proposal', next: 'Look under Governance.' },
  'batch.voting_over': { title: 'The vote on this proposal is over', next: null },
  'batch.not_a_bank': { title: 'Nobody is registered as a bank under this key', next: null },
  'batch.already_a_bank': { title: 'You are registered as a bank already', next: 'Change what you are registered with instead.' },
  'batch.handle_taken': { title: 'Another bank has this handle', next: 'Choose another one.' },
  'batch.ticker_taken': { title: 'Another asset has this ticker', next: 'Choose another one.' },
  'batch.release_too_early': { title: 'This block comes too early for a release', next: 'Choose a later one.' },
  'batch.expired': { title: 'No block took it in time', next: 'Nothing was done. Send it again.' },
  'batch.waiting': { title: 'An earlier batch still waits for its block', next: 'Send this one when it is done.' },
  'batch.empty': { title: 'There is nothing to send', next: null },
  'faucet.limited': { title: 'The faucet gives only now and then', next: 'Try again later.' },
  'faucet.none': { title: 'This network has no faucet', next: null },
  'faucet.unreachable': { title: 'The faucet does not answer', next: 'Try again in a moment.' },
  'channel.insurance_price': { title: 'The bank’s price of insurance is higher than what was shown', next: 'Look at the new price, and ask again if it is worth it.' },
  'channel.in_court': { title: 'The channel is in court', next: 'Nothing moves in it until court has decided.' },
  'payment.closed_by_court': { title: 'A dispute with the bank ended it', next: 'Nothing was paid.' },
  'channel.offline': { title: 'The bank is not connected', next: 'The wallet connects again by itself.' },
  'channel.suspended': { title: 'This channel is suspended', next: 'The bank refused several changes in a row, perhaps because its view of the chain is behind. Try again on its page under Banks.' },
  'payment.bad_proof': { title: 'This proves nothing', next: 'Copy the whole text and paste it again. If it stays so, do not rely on it.' },
  'payment.cannot_cancel': { title: 'This invoice cannot be cancelled', next: 'It is paid, or is being paid.' },
  'payment.malformed': { title: 'This is neither an invoice nor an address', next: 'Copy the whole text and paste it again.' },
  'payment.wrong_network': { title: 'This belongs to another network', next: 'Ask for an invoice of this network.' },
  'payment.expired': { title: 'Its time is up', next: 'Nothing was paid. Ask for a new invoice.' },
  'payment.stale_head': { title: 'The newest block is too old to pay now', next: 'Wait until the wallet is up to date.' },
  'payment.failed_on_the_way': { title: 'A bank on the way could not forward it', next: 'Nothing was paid. Try again in a moment.' },
  'channel.restoring': { title: 'Data was lost here; the bank’s newest state is being taken over', next: 'Wait for the next block.' },
  'channel.withdrawal_under_way': { title: 'A withdrawal from this bank is under way', next: 'Sign it in the bar below, or wait until it ends.' },
  'input.same_channel': { title: 'The money comes from this very channel', next: 'Choose another place for it.' },
  'input.key_used': { title: 'Another invoice was made in its place', next: 'Change the amount, or load the page again.' },
  'input.other_bank': { title: 'The address names another bank', next: null },
  'batch.new_asset_by_stranger': { title: 'This asset is not in that channel yet, and only its two parties can bring it in', next: 'Ask the account to deposit some of it first.' },
  'channel.unknown_bank': { title: 'This wallet does not use that bank yet', next: 'Add it under Banks.' },
  'payment.own': { title: 'This is your own invoice', next: 'Somebody else has to pay it.' },
  'payment.already_paid': { title: 'You have already paid this invoice', next: 'See Activity for the proof.' },
  'payment.no_route': { title: 'No way leads to the payee', next: 'You and the payee need a bank in common, or banks that know each other.' },
  'payment.too_much': { title: 'This is more than you can send', next: 'Use a smaller amount, or deposit more.' },
  'payment.payee_offline': { title: 'The payee is not connected', next: 'Try again when they have opened their wallet.' },
  'payment.rejected': { title: 'The payee did not accept it', next: 'Ask for a new invoice.' },
  'payment.timeout': { title: 'It was not answered in time', next: 'Nothing was paid. Try again.' },
  'payment.fee_rose': { title: 'The fee has gone up', next: 'Look at the new fee and confirm again.' },
};

/**
 * @param {import('./api').FairErrorShape} error
 * @returns {Meaning}
 */
export function meaning(error) {
  const known = MEANINGS[error.code];
  if (known) return known;
  const place = refusedPlace(error);
  if (place) return { title: `A snapshot was refused because of ${place}`, next: null };
  const checked = refusedPart(error);
  if (checked) return { title: `A block whose ${checked} does not verify was refused`, next: null };
  const said = error.message.replace(/\.$/, '');
  return { title: said.charAt(0).toUpperCase() + said.slice(1), next: error.retryable ? 'Trying again can help.' : null };
}

/**
 * The part of a block that a failed check looked at, or null for other errors.
 * A code that is not listed still names its part: `chain.bad_some_field`.
 * @param {import('./api').FairErrorShape} error
 */
function refusedPart(error) {
  if (CHECKS[error.code]) return CHECKS[error.code];
  const field = /^chain\.(?:bad|wrong|invalid)_(\w+)$/.exec(error.code)?.[1];
  return field ? field.replaceAll('_', ' ') : null;
}

/**
 * The place in a snapshot at which it was refused, or null for other errors.
 * @param {import('./api').FairErrorShape} error
 */
export function refusedPlace(error) {
  if (!error.code.startsWith('snapshot.')) return null;
  return typeof error.data?.file === 'string' ? error.data.file : 'its archive';
}

/**
 * @param {import('./api').VerificationFailure} failure
 * @param {string} locale
 */
export function refusalSentence(failure, locale) {
  if (failure.error.code === 'relay.withholding') return 'This relay announces blocks that it does not give out.';
  if (failure.error.code === 'chain.other_checkpoint') return 'The blocks of this relay do not lead to the one that you confirmed. Nothing from it was used.';
  const place = refusedPlace(failure.error);
  const block = failure.height === null ? 'something' : `block #${countText(failure.height, locale)}`;
  if (place) return `This relay offered a snapshot of ${block}, which does not verify because of ${place}. Nothing from it was used.`;
  const part = refusedPart(failure.error) ?? 'content';
  return `This relay sent ${block}${failure.height === null ? '' : ','} whose ${part} does not verify. Nothing from it was used.`;
}
