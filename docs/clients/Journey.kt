/** List, choose, wait and undo, with the generated client. [Run it](README.md#try-it) against `make run`. */
import java.util.UUID
import kotlinx.coroutines.delay
import synced_accounts.apis.ConnectionsApi
import synced_accounts.apis.OperationsApi
import synced_accounts.infrastructure.ApiClient
import synced_accounts.infrastructure.ClientError
import synced_accounts.infrastructure.ClientException
import synced_accounts.infrastructure.Serializer
import synced_accounts.models.OperationView
import synced_accounts.models.Problem
import synced_accounts.models.SelectionRequest

suspend fun journey(address: String, token: String, say: (String) -> Unit) {
    ApiClient.accessToken = token
    val connections = ConnectionsApi(address)
    val operations = OperationsApi(address)

    try {
        // List: everything that the user has is one answer.
        val connection = connections.listConnections(acceptLanguage = "en").connections
            .find { it.accounts.count { account -> account.enabled } > 1 }
            ?: error("No connection has two accounts that are enabled.")
        val enabled = connection.accounts.filter { it.enabled }
        val selection = SelectionRequest(enabledAccountIds = enabled.drop(1).map { it.id })

        // Choose: show the effect first, as Powens deletes the history of what is disabled. `ifMatch` refuses the choice
        // when the connection has changed since; the key makes it safe to send again.
        val preview = connections.previewSelection(connection.id, selection, acceptLanguage = "en")
        say("Disabling ${enabled.first().name}; Powens will delete the history of ${preview.deletedAtPowens.size} account.")
        val chosen = connections.selectAccounts(
            connection.id,
            selection,
            ifMatch = preview.entityTag,
            idempotencyKey = UUID.randomUUID().toString(),
            acceptLanguage = "en",
        )

        // Wait: Powens takes a while.
        say("The choice is ${end(operations, chosen).status}.")

        // Undo: an operation as well.
        val undoing = operations.undoOperation(chosen.id, UUID.randomUUID().toString(), acceptLanguage = "en")
        say("The undo is ${end(operations, undoing).status}.")
    } catch (refused: ClientException) {
        // `code` is for the program, `detail` for the user, `requestId` for whoever is asked for help.
        val body = (refused.response as ClientError<*>).body as String
        val problem = Serializer.kotlinxSerializationJson.decodeFromString<Problem>(body)
        say("${problem.detail} (${problem.code}; quote ${problem.requestId})")
    }
}

/** The operation once it has ended; until then the API says when to look again. */
private suspend fun end(operations: OperationsApi, begun: OperationView): OperationView {
    var operation = begun
    var seconds = 1L
    while (operation.endedAt == null) {
        delay(seconds * 1000)
        val answer = operations.getOperationWithHttpInfo(begun.id, "en")
        operation = (answer as synced_accounts.infrastructure.Success).data!!
        seconds = answer.headers["retry-after"]?.firstOrNull()?.toLong() ?: seconds
    }
    return operation
}
