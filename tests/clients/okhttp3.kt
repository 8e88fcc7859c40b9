/**
 * What the generated Kotlin client uses of OkHttp, on the HTTP client of Java: Maven's packages cannot be had here.
 *
 * It shows that the client compiles and works with something that has these signatures, and nothing about OkHttp itself.
 */
package okhttp3

import java.io.Closeable
import java.io.File
import java.io.IOException
import java.net.URI
import java.net.URLEncoder
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse

class MediaType(val text: String) {
    companion object {
        fun String.toMediaTypeOrNull(): MediaType? = MediaType(this)
    }
}

open class RequestBody(val bytes: ByteArray) {
    companion object {
        fun String.toRequestBody(type: MediaType? = null) = RequestBody(toByteArray())
        fun ByteArray.toRequestBody(type: MediaType? = null) = RequestBody(this)
        fun File.asRequestBody(type: MediaType? = null) = RequestBody(readBytes())
    }
}

class FormBody : RequestBody(ByteArray(0)) {
    class Builder {
        fun add(name: String, value: String): Builder = throw UnsupportedOperationException()
        fun build() = FormBody()
    }
}

class MultipartBody : RequestBody(ByteArray(0)) {
    class Builder {
        fun setType(type: MediaType) = this
        fun addPart(headers: Headers, body: RequestBody): Builder = throw UnsupportedOperationException()
        fun build() = MultipartBody()
    }

    companion object {
        val FORM = MediaType("multipart/form-data")
    }
}

class Headers(private val values: Map<String, List<String>>) {
    fun toMultimap() = values

    operator fun get(name: String): String? = values[name.lowercase()]?.last()

    class Builder {
        private val added = mutableMapOf<String, List<String>>()
        fun add(name: String, value: String) = apply { added[name.lowercase()] = listOf(value) }
        fun build() = Headers(added)
    }

    companion object {
        fun Map<String, String>.toHeaders() = Headers(map { it.key.lowercase() to listOf(it.value) }.toMap())
    }
}

class HttpUrl(val origin: String, val encodedPathSegments: List<String>, private val query: List<String>) {
    override fun toString() =
        "$origin/${encodedPathSegments.joinToString("/")}" + if (query.isEmpty()) "" else query.joinToString("&", "?")

    fun newBuilder() = Builder(origin)

    class Builder(private var origin: String = "") {
        private val segments = mutableListOf<String>()
        private val query = mutableListOf<String>()
        fun scheme(scheme: String) = apply { origin = "$scheme://" }
        fun host(host: String) = apply { origin += host }
        fun addPathSegment(segment: String) = apply { segments += encoded(segment) }
        fun addEncodedPathSegments(path: String) = apply { segments += path.split("/") }
        fun addQueryParameter(name: String, value: String?) = apply { query += "${encoded(name)}=${encoded(value.orEmpty())}" }
        fun build() = HttpUrl(origin, segments, query)
        private fun encoded(text: String) = URLEncoder.encode(text, Charsets.UTF_8).replace("+", "%20")
    }

    companion object {
        fun String.toHttpUrlOrNull(): HttpUrl? = HttpUrl(trimEnd('/'), listOf(), listOf())
    }
}

class Request(val url: HttpUrl, val method: String, val headers: Headers, val body: RequestBody?) {
    class Builder {
        private lateinit var url: HttpUrl
        private var method = "GET"
        private var headers = Headers(mapOf())
        private var body: RequestBody? = null
        fun url(url: HttpUrl) = apply { this.url = url }
        fun headers(headers: Headers) = apply { this.headers = headers }
        fun method(method: String, body: RequestBody?) = apply { this.method = method; this.body = body }
        fun head() = method("HEAD", null)
        fun delete(body: RequestBody?) = method("DELETE", body)
        fun patch(body: RequestBody) = method("PATCH", body)
        fun put(body: RequestBody) = method("PUT", body)
        fun post(body: RequestBody) = method("POST", body)
        fun build() = Request(url, method, headers, body)
    }
}

class ResponseBody(private val content: ByteArray) {
    fun string() = String(content)
    fun bytes() = content
    fun byteStream() = content.inputStream()
}

class Response(val code: Int, val headers: Headers, val body: ResponseBody?) : Closeable {
    val message = ""
    val isSuccessful = code in 200..299
    val isRedirect = code in 300..399
    fun header(name: String) = headers[name]
    override fun close() = Unit
}

interface Callback {
    fun onFailure(call: Call, e: IOException)
    fun onResponse(call: Call, response: Response)
}

class Call(private val client: HttpClient, private val request: Request) {
    fun interface Factory {
        fun newCall(request: Request): Call
    }

    fun cancel() = Unit

    fun enqueue(callback: Callback) {
        val made = HttpRequest.newBuilder(URI(request.url.toString()))
        request.headers.toMultimap().forEach { (name, values) -> made.header(name, values.last()) }
        val body = request.body?.let { HttpRequest.BodyPublishers.ofByteArray(it.bytes) }
        made.method(request.method, body ?: HttpRequest.BodyPublishers.noBody())
        try {
            val answer = client.send(made.build(), HttpResponse.BodyHandlers.ofByteArray())
            callback.onResponse(this, Response(answer.statusCode(), Headers(answer.headers().map()), ResponseBody(answer.body())))
        } catch (broken: IOException) {
            callback.onFailure(this, broken)
        }
    }
}

class OkHttpClient(private val client: HttpClient = HttpClient.newHttpClient()) : Call.Factory {
    override fun newCall(request: Request) = Call(client, request)

    class Builder {
        fun build() = OkHttpClient()
    }
}
