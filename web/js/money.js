/**
 * Amounts are decimal strings, and their sums are exact: a double would lose cents on large balances and all of a
 * crypto balance's tail.
 */

/** @import { Account } from './store.js' */

/** @param {string[]} amounts decimal strings, e.g. "-12.50" @returns {string} */
function sum(amounts) {
  const scale = Math.max(0, ...amounts.map((amount) => (amount.split('.')[1] ?? '').length));
  const total = amounts.reduce((running, amount) => {
    const [whole, fraction = ''] = amount.split('.');
    return running + BigInt(whole + fraction.padEnd(scale, '0'));
  }, 0n);
  if (scale === 0) return total.toString();
  const negative = total < 0n;
  const digits = (negative ? -total : total).toString().padStart(scale + 1, '0');
  return `${negative ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const DECIMAL = /^-?\d+(\.\d+)?$/;

/**
 * Whether it is one of the person's accounts: enabled, not a copy of one that counts elsewhere, and of a manual account
 * not the likely twin of a synchronised one.
 */
export const counts = (/** @type {Account} */ account) => account.enabled && !account.duplicate_of && !account.twin;

/** One total per currency over the accounts that count, each real account once, in the order of `sums`. */
export const totals = (/** @type {Account[]} */ accounts, main) => sums(accounts.filter(counts), main);

/**
 * @param {string} main the person's main currency
 * @returns {[string, string][]} [currency, decimal string]: the main currency first, then by their codes
 */
export function sums(/** @type {Account[]} */ accounts, main) {
  const byCurrency = new Map();
  for (const account of accounts) {
    if (!account.currency || !DECIMAL.test(account.balance ?? '')) continue;
    byCurrency.set(account.currency, [...(byCurrency.get(account.currency) ?? []), account.balance]);
  }
  return [...byCurrency]
    .sort(([a], [b]) => Number(b === main) - Number(a === main) || a.localeCompare(b))
    .map(([currency, amounts]) => [currency, sum(amounts)]);
}

const THOUSANDS = /^-?[1-9]\d{0,2}[,.]\d{3}$/; // 1.250: one mark, which may group

/**
 * What somebody typed as an amount, as the API's decimal string, or null. Spaces group, and so does a repeated mark.
 * @param {string} decimalMark of the person's language: a single mark that could group is decimal only when it is this
 */
export function readAmount(text, decimalMark) {
  const plain = text.trim().replace(/[\s\u00a0\u202f'’]/g, '').replace(/^[\u2212\u2013]/, '-');
  const marks = [...plain].filter((character) => character === ',' || character === '.');
  let decimal = null;
  if (new Set(marks).size === 2) decimal = marks.at(-1); // 1.250,50 and 1,250.50: the last one separates the cents
  else if (marks.length === 1 && (marks[0] === decimalMark || !THOUSANDS.test(plain))) [decimal] = marks;
  const decimalPlace = decimal === null ? -1 : plain.lastIndexOf(decimal);
  const amount = plain.replace(/[,.]/g, (_, place) => (place === decimalPlace ? '.' : ''));
  return DECIMAL.test(amount) ? amount : null;
}
