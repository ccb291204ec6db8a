import AsyncHTTPClient
import Foundation
import JSON
import NIOCore
import NIOHTTP1

/// The keys of an issuer, from a URL, kept for as long as its answer says (`Cache-Control: max-age`).
///
/// Keys that cannot be had anew are used on for an hour; then there are none, and no token is valid.
package actor KeySource {
    private struct Held {
        var keys: [String: TokenKey]
        var freshUntil: ContinuousClock.Instant
        var usableUntil: ContinuousClock.Instant
    }

    private static let grace = Duration.seconds(3_600)
    /// How long keys are kept where the answer does not say, and between two looks for a key that is not among them.
    private static let pause = Duration.seconds(30)
    private static let largest = 256 * 1024

    private let url: String
    private var held: Held?
    private var lastAsked: ContinuousClock.Instant?
    private var asking: Task<Held, any Error>?

    /// - Parameter url: `https://…`, `http://…`, or `file:///…`.
    package init(_ url: String) { self.url = url }

    /// The key of an ID; an unknown one makes the source ask anew, though not often.
    ///
    /// - Throws: ``TokenFault`` where there is no such key, or none can be had.
    package func key(_ id: String) async throws(TokenFault) -> TokenKey {
        let now = ContinuousClock.now
        let mayAsk = lastAsked.map { now >= $0 + Self.pause } ?? true
        if let held, now < held.freshUntil || (now < held.usableUntil && !mayAsk) {
            if let key = held.keys[id] { return key }
            guard mayAsk else { throw TokenFault("its key is not known") }
        }
        do {
            try await ask()
        } catch {
            guard let held, now < held.usableUntil else {
                throw TokenFault("the issuer's keys cannot be had: \(error)")
            }
        }
        guard let key = held?.keys[id] else { throw TokenFault("its key is not known") }
        return key
    }

    /// One question at a time, whoever waits for it.
    private func ask() async throws {
        if let asking {
            held = try await asking.value
            return
        }
        lastAsked = .now
        let url = url
        let task = Task { try await Self.fetch(url) }
        asking = task
        defer { asking = nil }
        held = try await task.value
    }

    private static func fetch(_ url: String) async throws -> Held {
        let body: [UInt8]
        var life = pause
        if url.hasPrefix("file://") {
            guard let file = URL(string: url) else { throw TokenFault("\(url) is no address") }
            body = Array(try Data(contentsOf: file))
        } else {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
            guard response.status == .ok else { throw TokenFault("\(url) answered \(response.status.code)") }
            body = Array(try await response.body.collect(upTo: largest).readableBytesView)
            // At least for a moment, whatever it says: no question for every call.
            life = max(.seconds(5), age(response.headers[canonicalForm: "cache-control"].map { String($0) }) ?? pause)
        }
        let keys = try TokenKey.all(in: try JSONValue(parsing: body))
        let now = ContinuousClock.now
        return Held(keys: keys, freshUntil: now + life, usableUntil: now + life + grace)
    }

    /// The `max-age` of a `Cache-Control` field, at most a day.
    static func age(_ directives: [String]) -> Duration? {
        directives.compactMap { directive -> Int? in
            let parts = directive.lowercased().split(separator: "=")
            guard parts.count == 2, parts[0] == "max-age" else { return nil }
            return Int(parts[1])
        }
        .first.map { .seconds(min(max(0, $0), 86_400)) }
    }
}
