/** Governance: what is proposed and was decided; proposing and voting for validators. */

import { h } from '../dom.js';
import { answered, bones, button, choice, empty, errorNote, form, heading, linkButton, note, sums, textField } from '../parts/basic.js';
import { proposalCard } from '../parts/governance.js';
import { parameterText } from '../parts/values.js';
import { accountName, countText } from '../format.js';
import { explorerHead, verifiedLine } from './explorer-frame.js';
import { to } from '../router.js';

/** @typedef {import('../app.js').App} App */
/** @typedef {import('../api').DraftAction} DraftAction */

/**
 * @param {App} app
 * @param {string[]} path
 * @returns {import('../app.js').Page}
 */
export function governancePage(app, [which]) {
  return which === undefined ? listPage(app) : proposalPage(app, Number(which));
}

/** @param {App} app @returns {import('../app.js').Page} */
function listPage(app) {
  return {
    title: 'Governance',
    view: () => [
      explorerHead(app, 'governance'),
      answered(app.use('governance'), (all) => {
        const open = all.proposals.filter(({ state }) => state.kind === 'open' || state.kind === 'accepted');
        const past = all.proposals.filter((one) => !open.includes(one));
        return [
          heading('Governance', all.sharesOfYou > 0 && linkButton('Propose', to('explorer', 'governance', 'new'), { icon: 'plus', slim: true })),
          h('p', { class: 'muted', key: 'says' }, 'The validators decide about the rules in numbers, about themselves, the register of banks, the names of assets and new versions. More than two thirds of the shares must approve.'),
          all.releases.length > 0 && h('section', { class: 'card', key: 'releases' }, h('header', null, h('h2', null, 'Versions of the rules')),
            sums(...all.releases.map((release) => /** @type {[string, any]} */ ([`Version ${release.version}${release.version <= all.version ? ', known to this page' : ''}`,
              h('a', { href: to('explorer', 'block', release.height), title: release.bundle }, `from block #${countText(release.height, app.locale)}`)])))),
          h('section', { class: 'stack wide', key: 'open' }, h('h2', null, 'Open'),
            open.length === 0 ? h('div', { class: 'card' }, empty('check', 'Nothing is proposed', 'Proposals of validators show here until they take effect.')) : open.map((one) => proposalCard(app, all, one))),
          past.length > 0 && h('section', { class: 'stack wide', key: 'past' }, h('h2', null, 'Decided'), past.map((one) => proposalCard(app, all, one))),
        ];
      }, () => h('div', { class: 'card' }, bones(6))),
      verifiedLine(app, null),
    ],
  };
}

/**
 * @param {App} app
 * @param {number} id
 * @returns {import('../app.js').Page}
 */
function proposalPage(app, id) {
  let approve = '';
  let rationale = '';
  let tried = false;
  const vote = () => {
    const problem = app.problem('vote');
    return h('section', { class: 'card', key: 'vote' }, h('header', null, h('h2', null, 'Your vote')), form(() => {
      tried = true;
      app.refresh();
      if (approve === '') return;
      app.act('vote', async () => {
        app.put('draft', await app.client.draftAdd({ operation: { kind: 'vote', proposal: id, approve: approve === 'yes', rationale: rationale.trim() } }));
        app.say('Added. Sign and send it below.');
      });
    },
    h('fieldset', { class: 'stack' }, h('legend', null, 'What you say'), h('div', { class: 'choices' }, [['yes', 'For it'], ['no', 'Against it']].map(([value, label]) => h('label', { class: 'choice', key: value },
      h('input', { type: 'radio', name: 'approve', value, checked: approve === value, onchange: () => { approve = value; app.refresh(); } }), label))),
    tried && approve === '' && h('p', { class: 'wrong' }, 'Choose one.')),
    textField({ id: 'rationale', label: 'Why', hint: 'Everybody can read it. You may leave it empty.', area: true }, rationale, (text) => { rationale = text; app.refresh(); }),
    problem && errorNote(problem),
    h('div', { class: 'row' }, button('Add vote', { submit: true, main: true, busy: app.doing('vote') }))));
  };
  return {
    title: `Proposal ${id}`,
    view: () => [
      explorerHead(app, 'governance'),
      h('h1', { class: 'unseen' }, `Proposal ${id}`),
      answered(app.use('governance'), (all) => {
        const proposal = all.proposals.find((one) => one.id === id);
        if (!proposal) return h('section', { class: 'card' }, empty('search', 'There is no such proposal', 'It may not be in a block yet.', linkButton('Governance', to('explorer', 'governance'))));
        return [proposalCard(app, all, proposal), all.sharesOfYou > 0 && proposal.state.kind === 'open' && vote()];
      }, () => h('div', { class: 'card' }, bones(6))),
      verifiedLine(app, null),
    ],
  };
}

/** @type {[DraftAction['kind'], string][]} */
const KINDS = [
  ['set_parameters', 'Other parameters'], ['set_validators', 'Other validators or shares'], ['remove_bank', 'Strike a bank off the register'],
  ['rename_asset', 'Show an asset under another name'], ['release', 'A new version of the rules'],
];

/** @param {App} app @returns {import('../app.js').Page} */
export function proposePage(app) {
  /** @type {string} */
  let kind = 'set_parameters';
  let text = '';
  let bank = '';
  let asset = '1';
  const line = { ticker: '', name: '', version: '', height: '', bundle: '' };
  /** @type {{name: string, value: string}[]} */
  const changes = [{ name: 'min_fee_rate', value: '' }];
  /** @type {{account: string, signingKey: string, shares: string, url: string}[] | null} */
  let validators = null;
  const typed = (/** @type {keyof typeof line} */ key, /** @type {string} */ label, more = {}) =>
    textField({ id: key, label, ...more }, line[key], (value) => { line[key] = value; app.refresh(); });
  const whole = (/** @type {string} */ value) => (/^\d{1,15}$/.test(value.trim()) ? Number(value) : null);

  /** @returns {DraftAction | null} */
  const action = () => {
    switch (kind) {
      case 'set_parameters': {
        const values = changes.map(({ name, value }) => ({ name, value: /^\d{1,19}$/.test(value.trim()) ? BigInt(value) : null }));
        return values.some(({ value }) => value === null) ? null : { kind, changes: /** @type {{name: string, value: bigint}[]} */ (values) };
      }
      case 'set_validators': {
        const set = (validators ?? []).map(({ shares, ...one }) => ({ ...one, shares: whole(shares) }));
        return set.some(({ shares }) => shares === null) ? null : { kind, validators: /** @type {any} */ (set) };
      }
      case 'remove_bank': return { kind, bank };
      case 'rename_asset': return { kind, asset: Number(asset), ticker: line.ticker.trim(), name: line.name.trim() };
      default: {
        const [version, height] = [whole(line.version), whole(line.height)];
        return version === null || height === null || !/^[0-9a-f]{64}$/i.test(line.bundle.trim()) ? null
          : { kind: 'release', version, height, bundle: line.bundle.trim().toLowerCase() };
      }
    }
  };

  const fields = () => {
    switch (kind) {
      case 'set_parameters': {
        const known = app.use('parameters').value ?? [];
        return [changes.map((change, index) => {
          const now = known.find(({ name }) => name === change.name);
          return h('div', { class: 'grid2', key: index },
            choice({ id: `parameter-${index}`, label: 'Parameter', hint: now?.meaning }, change.name, known.map(({ name }) => [name, name]), (name) => { change.name = name; app.refresh(); }),
            textField({ id: `value-${index}`, label: 'New value', numeric: true, hint: now && `A whole number. Now ${now.value}, that is ${parameterText(app, now)}.` }, change.value, (value) => { change.value = value; app.refresh(); }));
        }),
        h('div', { class: 'row', key: 'another' }, button('Another parameter', { slim: true, icon: 'plus', onclick: () => { changes.push({ name: known[0]?.name ?? '', value: '' }); app.refresh(); } }),
          changes.length > 1 && button('Remove the last', { slim: true, onclick: () => { changes.pop(); app.refresh(); } }))];
      }
      case 'set_validators': {
        const now = app.use('validators').value;
        if (!now) return bones(3);
        const set = validators ??= now.map((one) => ({ account: one.account.key, signingKey: one.signingKey, shares: String(one.shares), url: one.url }));
        const cell = (/** @type {typeof set[number]} */ one, /** @type {keyof typeof one} */ key, /** @type {string} */ id, /** @type {string} */ label) => textField({ id, label }, one[key], (value) => { one[key] = value; app.refresh(); });
        return [set.map((one, index) => h('fieldset', { class: 'operation', key: index }, h('legend', null, `Validator ${index + 1}`),
          h('div', { class: 'grid2' }, cell(one, 'account', `account-${index}`, 'Account'), cell(one, 'shares', `shares-${index}`, 'Shares'), cell(one, 'signingKey', `key-${index}`, 'Signing key'), cell(one, 'url', `url-${index}`, 'Address')),
          h('div', { class: 'row' }, button(`Remove validator ${index + 1}`, { slim: true, onclick: () => { set.splice(index, 1); app.refresh(); } })))),
        h('div', { class: 'row', key: 'another' }, button('Another validator', { slim: true, icon: 'plus', onclick: () => { set.push({ account: '', signingKey: '', shares: '1', url: '' }); app.refresh(); } }))];
      }
      case 'remove_bank': {
        const banks = app.use('banks').value ?? [];
        bank ||= banks[0]?.account.key ?? '';
        return [choice({ id: 'bank', label: 'Bank' }, bank, banks.map(({ account }) => [account.key, accountName(account)]), (value) => { bank = value; app.refresh(); }),
          note(undefined, h('p', null, 'Its channels and debts stay; it is no longer listed, and no longer a bank for new channels.'))];
      }
      case 'rename_asset':
        return [choice({ id: 'asset', label: 'Asset' }, asset, (app.use('assets').value ?? []).map(({ id, ticker, name }) => [String(id), `${ticker} (${name})`]), (value) => { asset = value; app.refresh(); }),
          h('div', { class: 'grid2' }, typed('ticker', 'New ticker', { hint: 'Capital letters and digits.' }), typed('name', 'New name'))];
      default:
        return [h('div', { class: 'grid2' }, typed('version', 'Version', { numeric: true }), typed('height', 'From block', { numeric: true })), typed('bundle', 'Hash of the published bundle', { hint: '64 hexadecimal digits.' })];
    }
  };
  let tried = false;
  return {
    title: 'Propose',
    view: () => [
      h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: to('explorer', 'governance') }, 'Governance'), h('span', null, '› Propose')),
      heading('Propose'),
      app.use('governance').value?.sharesOfYou === 0 && note('warn', h('p', null, 'Only validators propose. This wallet’s account is none.')),
      h('section', { class: 'card', key: 'form' }, form(() => {
        const wanted = action();
        tried = wanted === null;
        app.refresh();
        if (!wanted) return;
        app.act('propose', async () => {
          app.put('draft', await app.client.draftAdd({ operation: { kind: 'propose', action: wanted, text: text.trim() } }));
          app.say('Added. Sign and send it below.');
        });
      },
      choice({ id: 'kind', label: 'What' }, kind, KINDS, (value) => { kind = value; tried = false; app.refresh(); }),
      h('div', { class: 'stack wide', key: kind }, fields()),
      textField({ id: 'text', label: 'Why', hint: 'For those who vote. Everybody can read it.', area: true }, text, (value) => { text = value; app.refresh(); }),
      tried && note('bad', h('p', null, 'Something is missing, or is no whole number where one is needed.')),
      app.problem('propose') && errorNote(/** @type {any} */ (app.problem('propose'))),
      h('div', { class: 'row' }, button('Add proposal', { submit: true, main: true, busy: app.doing('propose') }), linkButton('Cancel', to('explorer', 'governance'))))),
    ],
  };
}
