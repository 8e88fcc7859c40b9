/// List, choose, wait and undo, with the generated client. [Run it](README.md#try-it) against `make run`.
import Foundation
import SyncedAccounts

struct NothingToChoose: Error {}

func journey(address: String, token: String, say: (String) -> Void) async throws {
    let api = SyncedAccountsAPIConfiguration(
        basePath: address,
        customHeaders: ["Authorization": "Bearer \(token)", "Accept-Language": "en"]
    )

    do {
        // List: everything that the user has is one answer.
        let list = try await ConnectionsAPI.listConnections(apiConfiguration: api)
        guard let connection = list.connections.first(where: { $0.accounts.filter(\.enabled).count > 1 }) else {
            throw NothingToChoose()
        }
        let enabled = connection.accounts.filter(\.enabled)
        let selection = SelectionRequest(enabledAccountIds: enabled.dropFirst().map(\.id))

        // Choose: show the effect first, as Powens deletes the history of what is disabled. `ifMatch` refuses the choice
        // when the connection has changed since; the key makes it safe to send again.
        let preview = try await ConnectionsAPI.previewSelection(
            connectionId: connection.id, selectionRequest: selection, apiConfiguration: api
        )
        say("Disabling \(enabled[0].name); Powens will delete the history of \(preview.deletedAtPowens.count) account.")
        let chosen = try await ConnectionsAPI.selectAccounts(
            connectionId: connection.id,
            selectionRequest: selection,
            ifMatch: preview.entityTag,
            idempotencyKey: UUID().uuidString,
            apiConfiguration: api
        )

        // Wait: Powens takes a while.
        say("The choice is \(try await end(of: chosen, api).status.rawValue).")

        // Undo: an operation as well.
        let undoing = try await OperationsAPI.undoOperation(
            operationId: chosen.id, idempotencyKey: UUID().uuidString, apiConfiguration: api
        )
        say("The undo is \(try await end(of: undoing, api).status.rawValue).")
    } catch let ErrorResponse.error(_, body?, _, _) {
        // `code` is for the program, `detail` for the user, `requestId` for whoever is asked for help.
        let problem = try api.codableHelper.jsonDecoder.decode(Problem.self, from: body)
        say("\(problem.detail) (\(problem.code); quote \(problem.requestId))")
    }
}

/// The operation once it has ended; until then the API says when to look again.
private func end(of begun: OperationView, _ api: SyncedAccountsAPIConfiguration) async throws -> OperationView {
    var operation = begun
    var seconds: UInt64 = 1
    while operation.endedAt == nil {
        try await Task.sleep(nanoseconds: seconds * 1_000_000_000)
        let request = OperationsAPI.getOperationWithRequestBuilder(operationId: begun.id, apiConfiguration: api)
        let answer = try await request.execute()
        operation = answer.body
        seconds = answer.header.first { $0.key.lowercased() == "retry-after" }.flatMap { UInt64($0.value) } ?? seconds
    }
    return operation
}
