/** Plays the journey (address, token), or reads and writes each model and its value of a file (path). */
import java.io.File
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.serializer
import synced_accounts.infrastructure.Serializer

fun main(arguments: Array<String>) = runBlocking {
    if (arguments.size == 2) journey(arguments[0], arguments[1], ::println) else println(again(File(arguments[0]).readText()))
}

private fun again(examples: String): JsonArray {
    val json = Serializer.kotlinxSerializationJson
    return JsonArray(
        json.parseToJsonElement(examples).jsonArray.map {
            val model = Class.forName("synced_accounts.models." + it.jsonArray[0].jsonPrimitive.content)
            val serializer = json.serializersModule.serializer(model)
            json.encodeToJsonElement(serializer, json.decodeFromJsonElement(serializer, it.jsonArray[1]))
        },
    )
}
