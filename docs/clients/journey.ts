/** List, choose, wait and undo, with the generated client. [Run it](README.md#try-it) against `make run`. */
import { Configuration, ConnectionsApi, OperationsApi, ProblemFromJSON, ResponseError } from 'synced-accounts';
import type { OperationView } from 'synced-accounts';

export async function journey(address: string, token: string, say: (line: string) => void): Promise<void> {
  const configuration = new Configuration({ basePath: address, accessToken: token, headers: { 'Accept-Language': 'en' } });
  const connections = new ConnectionsApi(configuration);
  const operations = new OperationsApi(configuration);

  try {
    // List: everything that the user has is one answer.
    const { connections: held } = await connections.listConnections();
    const connection = held.find(({ accounts }) => accounts.filter((account) => account.enabled).length > 1);
    if (connection === undefined) throw new Error('No connection has two accounts that are enabled.');
    const [unwanted, ...kept] = connection.accounts.filter((account) => account.enabled);
    const connectionId = connection.id;
    const selectionRequest = { enabledAccountIds: kept.map((account) => account.id) };

    // Choose: show the effect first, as Powens deletes the history of what is disabled. `ifMatch` refuses the choice
    // when the connection has changed since; the key makes it safe to send again.
    const preview = await connections.previewSelection({ connectionId, selectionRequest });
    say(`Disabling ${unwanted?.name}; Powens will delete the history of ${preview.deletedAtPowens.length} account.`);
    const chosen = await connections.selectAccounts({
      connectionId, selectionRequest, ifMatch: preview.entityTag, idempotencyKey: crypto.randomUUID(),
    });

    // Wait: Powens takes a while.
    say(`The choice is ${(await end(operations, chosen)).status}.`);

    // Undo: an operation as well.
    const undoing = await operations.undoOperation({ operationId: chosen.id, idempotencyKey: crypto.randomUUID() });
    say(`The undo is ${(await end(operations, undoing)).status}.`);
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    // `code` is for the program, `detail` for the user, `requestId` for whoever is asked for help.
    const problem = ProblemFromJSON(await error.response.json());
    say(`${problem.detail} (${problem.code}; quote ${problem.requestId})`);
  }
}

/** The operation once it has ended; until then the API says when to look again. */
async function end(operations: OperationsApi, begun: OperationView): Promise<OperationView> {
  for (let operation = begun, seconds = 1; ;) {
    if (operation.endedAt !== null) return operation;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const answer = await operations.getOperationRaw({ operationId: begun.id });
    operation = await answer.value();
    seconds = Number(answer.raw.headers.get('Retry-After') ?? seconds);
  }
}
