"""The state, in one DynamoDB table. No other package knows a key.

| item | pk | sk | read by |
| --- | --- | --- | --- |
| connection with its accounts | USER#<user> | LIST#CONNECTION#<id> | the list (one Query), every change (GetItem) |
| the same, while unconfirmed | USER#<user> | LIST#CONNECTION#<id> | index `due`, UNCONFIRMED#<shard> / <its end> |
| manual account | USER#<user> | LIST#MANUAL#<id> | the list, with the same Query |
| 20 older balances of a manual account | USER#<user> | BALANCES#<account>#<number> | Query, for its history |
| wish | USER#<user> | LIST#WISH#<id> | the list, with the same Query |
| open wish, by its institution | INSTITUTION#<id> | WISH#<type>#<wish> | Query, when the institution gives the type |
| operation | USER#<user> | OPERATION#<id> | GetItem; while open also index `due`, OPERATION#<shard> / <deadline> |
| event = history line | USER#<user> | EVENT#<ulid> | stream (insert), history (Query backwards) |
| command or hint to send | USER#<user> | COMMAND#<ulid> | stream (insert) |
| access to Powens | USER#<user> | PROFILE | GetItem; index `due`, RECONCILE#<shard> / <next look or read> |
| the same, with bounds of what the user adds | USER#<user> | PROFILE | GetItem, at a bound |
| the same, with the mark of an erasure | USER#<user> | PROFILE | also ERASURE#<shard> / <when to queue it again> |
| reverse look-up | POWENS#<id_user> | USER | GetItem |
| Webview session | SESSION#<state> | SESSION | GetItem, each time the browser comes back |
| Webview session, by its user | USER#<user> | SESSION#<hash of state> | the export, the erasure, a confirmation |
| return of a Webview session | RETURN#<hash of its code> | RETURN | GetItem, to confirm what came of it |
| open screen | USER#<user> | SOCKET#<id> | Query, for each event of the user |
| open screen, by its id | SOCKET#<id> | SOCKET | GetItem, when it closes |
| institutions in force | INSTITUTIONS | CATALOGUE | GetItem, once a minute in each process |
| their content, packed | INSTITUTIONS | CATALOGUE#<digest>#<part> | GetItem, when it is new to a process |
| incidents | INSTITUTIONS | INCIDENTS | GetItem |
| somebody has such an account | INSTITUTION#<id> | PEER#<type>#<hash> | Query; index `due`, PEER#<shard> / <time> |
| somebody's connection fails | INSTITUTION#<id> | TROUBLE#<hash>#<id> | index `due`, TROUBLE#<shard> / <time> |
| idempotent answer | USER#<user> | IDEMPOTENCY#<key> | GetItem, after a refused write |
| calls to Powens in a minute | BUDGET#<minute> | MINUTE | UpdateItem, where a limit is set |
| pause in calling Powens | BUDGET | PAUSE | GetItem |
| Powens users whom nobody owns | ORPHANS | LISTING | GetItem, by the daily check and by operators |
| receipt of an erasure | RECEIPT#<hash of user and id> | RECEIPT | GetItem; holds no word of the user |
| event of an erasure | ERASED#<ulid> | EVENT#<ulid> | stream (insert) |

Whatever is held about a user lies in the user's partition or is pointed to from there: `KINDS` in `kinds.py` says for
each kind how it is exported, and what else goes with it when the user is erased. A new kind must be added there.

`Table` and `Write` in `table.py` speak to DynamoDB; each subject has a file, which knows its keys and attributes.

`document` holds an aggregate as JSON: it is read and written whole, and its numbers keep their decimals (ADR 0004). A
very large connection has it compressed, as `packed`.
"""
