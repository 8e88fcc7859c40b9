/** The operation of a connection, under way or just ended: its sentence, its accounts, and what can be done. */

/** @import { Connection, Operation } from '../store.js' */

import { button, h, icon } from '../dom.js';
import { isChanging, isOpen, isSettling } from '../store.js';
import { TONE_ICON, nextStepButton } from './parts.js';

const MANY_ITEMS = 6;
const AFTER_UNDO_MS = 50; // by which the panel is drawn again after the offer to undo has run out
/** @type {import('api').NextStep[]} */
const STEPS = ['reconnect', 'manage', 'add_manually']; // the most urgent first
const TONE = { completed: 'good', partially_completed: 'warn', needs_user: 'warn' };
const ITEM_ICON = { done: 'check', superseded: 'minus', needs_user: 'alert' };

/** @returns {object|null} the operation to show for a connection */
export function operationOf({ operations }, /** @type {Connection} */ connection) {
  const operation = operations.get(connection.id);
  if (operation) return operation;
  if (!isSettling(connection)) return null;
  // Started on another device, and not found in the history yet: the accounts themselves say what is under way.
  const items = connection.accounts.filter(isChanging).map((account) => ({
    account_id: account.id,
    wanted: account.status === 'enabling' ? 'enabled' : 'disabled',
    status: 'pending',
    reason: null,
  }));
  return { id: null, kind: 'selection', status: 'running', status_reason: null, undo_until: null, accounts: items };
}

/** Whether it is a choice that can still be taken back. */
export const canUndo = (/** @type {Operation} */ operation) => Boolean(operation.id)
  && operation.kind === 'selection' && !operation.undoing
  && isUndoOpen(operation);

/** Whether the time to undo has not run out. */
export function isUndoOpen(/** @type {Operation} */ operation) {
  return Boolean(operation?.undo_until) && Date.parse(operation.undo_until) > Date.now();
}

/** The sentence that says how an operation stands. */
export function operationMessage(words, /** @type {Operation} */ operation) {
  const kind = operation.undoing ? 'undo' : operation.kind;
  if (isOpen(operation)) return words.t(`operation.open.${kind}`);
  const own = `operation.${operation.status}.${kind}`;
  return words.t(words.has(own) ? own : `operation.${operation.status}`);
}

export function operationPanel(app, /** @type {Connection} */ connection, /** @type {Operation} */ operation) {
  const { words } = app;
  const open = isOpen(operation);
  const tone = open ? 'calm' : TONE[operation.status] ?? 'bad';
  const data = {
    testid: 'operation',
    operationId: operation.id ?? '',
    kind: operation.undoing ? 'undo' : operation.kind,
    status: operation.status,
    key: `operation-${connection.id}`,
  };
  const label = words.t('operation.label');
  return h('div', { class: `operation ${tone}`, role: 'group', tabindex: '-1', 'aria-label': label, data },
    h('p', { class: 'operation-title' },
      open ? spinner() : icon(TONE_ICON[tone]),
      h('span', { data: { testid: 'operation-message' } }, operationMessage(words, operation))),
    operation.status_reason?.message && h('p', { class: 'operation-detail' }, operation.status_reason.message),
    operation.status === 'timed_out'
      && h('p', { class: 'operation-detail' }, words.t('operation.timed_out.detail')),
    itemList(words, connection, operation.accounts),
    canUndo(operation) && operation.accounts.some(({ wanted }) => wanted === 'disabled')
      && h('p', { class: 'operation-detail', data: { testid: 'undo-limits' } }, words.t('operation.undo.limits')),
    actions(app, connection, operation));
}

const spinner = () => h('span', { class: 'spinner', 'aria-hidden': 'true' });

/** Folded when there are many. */
function itemList(words, /** @type {Connection} */ connection, items) {
  if (items.length === 0) return null;
  const names = new Map(connection.accounts.map((account) => [account.id, account.name]));
  const list = h('ul', { class: 'progress-list' },
    items.map((item) => itemLine(words, item, names.get(item.account_id) ?? words.t('account.unknown'))));
  if (items.length <= MANY_ITEMS) return list;
  return h('details', {},
    h('summary', { data: { key: `lines-${connection.id}` } },
      icon('chevron'), words.t('operation.lines', { count: items.length })),
    list);
}

function itemLine(words, { account_id: accountId, status, wanted, reason }, name) {
  const key = status === 'done' || status === 'pending' ? `progress.${status}.${wanted}` : `progress.${status}`;
  return h('li', { class: `progress ${status}`, data: { testid: 'progress', accountId, status } },
    status === 'pending' ? spinner() : icon(ITEM_ICON[status] ?? 'cross'),
    h('span', { class: 'progress-name' }, name),
    h('span', { class: 'progress-state' }, words.t(key)),
    reason?.message && h('span', { class: 'progress-reason' }, reason.message));
}

function actions(app, /** @type {Connection} */ connection, /** @type {Operation} */ operation) {
  const { frame, operations, words } = app;
  const { id } = connection;
  const open = isOpen(operation);
  const undoable = canUndo(operation);
  if (undoable) frame.renderAt(Date.parse(operation.undo_until) + AFTER_UNDO_MS);
  if (!undoable && open) return null;
  return h('div', { class: 'card-actions' },
    !open && operation.status !== 'completed'
      && nextStepButton(app, nextStep(operation), connection, `step-${id}`),
    undoable && button(words.t('action.undo'), {
      kind: 'outline', data: { testid: 'undo', key: `undo-${id}` }, action: () => operations.undo(operation),
    }),
    !open && button(words.t('action.close'), {
      data: { testid: 'dismiss', key: `dismiss-${id}` }, action: () => operations.dismiss(id),
    }));
}

/** Of the operation, or the most urgent one of its items. */
function nextStep(/** @type {Operation} */ operation) {
  const items = operation.accounts.filter((item) => item.reason && item.status !== 'superseded');
  const steps = new Set(items.map((item) => item.reason.next_step));
  return operation.status_reason?.next_step ?? STEPS.find((step) => steps.has(step));
}
