/** Exact sums of decimal strings. A double would lose cents on large balances and all of a crypto balance's tail. */

/** @param {string[]} amounts decimal strings, e.g. "-12.50" @returns {string} */
export function sum(amounts) {
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

/** Whether it is one of the person's accounts: synchronised, and not a copy of one that counts elsewhere. */
export const counts = (account) => account.enabled && !account.duplicate_of;

/**
 * One total per currency over the accounts that count: enabled, with a balance, each real account once. An account kept
 * by hand is not enabled while the synchronised one that it was joined with counts.
 * @returns {[string, string][]} [currency, decimal string], most accounts first
 */
export function totals(accounts) {
  const byCurrency = new Map();
  for (const account of accounts) {
    if (!counts(account) || !account.currency || !DECIMAL.test(account.balance ?? '')) continue;
    byCurrency.set(account.currency, [...(byCurrency.get(account.currency) ?? []), account.balance]);
  }
  return [...byCurrency].sort((a, b) => b[1].length - a[1].length).map(([currency, amounts]) => [currency, sum(amounts)]);
}
