import Foundation
import JSON

/// Says who calls: the user of an ID token, and, where it is enforced, that the caller is the product's own app.
package struct Authenticator: Sendable {
    /// App Check, where it is enforced.
    package struct AppCheck: Sendable {
        /// The project's number.
        package var project: String
        package var keys: KeySource

        package init(project: String, keys: KeySource) {
            self.project = project
            self.keys = keys
        }
    }

    private let project: String
    private let keys: KeySource
    private let appCheck: AppCheck?
    private let now: @Sendable () -> Int

    /// - Parameters:
    ///   - project: the project's ID, the audience of its tokens.
    ///   - keys: of the issuer of ID tokens.
    ///   - now: seconds since 1970.
    package init(
        project: String,
        keys: KeySource,
        appCheck: AppCheck? = nil,
        now: @escaping @Sendable () -> Int = { Int(Date.now.timeIntervalSince1970) }
    ) {
        self.project = project
        self.keys = keys
        self.appCheck = appCheck
        self.now = now
    }

    /// The user of an `Authorization` field; nil without one, which the protocol allows.
    ///
    /// - Throws: ``TokenFault`` for a field that is there and does not hold.
    package func user(_ authorization: String?) async throws(TokenFault) -> String? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else {
            throw TokenFault("the authorization is not a bearer token")
        }
        let token = try SignedToken(String(parts[1]))
        guard token.isSigned(by: try await keys.key(token.keyID)) else {
            throw TokenFault("its signature does not hold")
        }
        return try IdentityToken(token, project: project, now: now()).user
    }

    /// Holds the field `X-Firebase-AppCheck` to what App Check says of its tokens, where it is enforced.
    ///
    /// Source: `https://firebase.google.com/docs/app-check/custom-resource-backend`.
    package func checkApp(_ field: String?) async throws(TokenFault) {
        guard let appCheck else { return }
        guard let field else { throw TokenFault("there is no App Check token") }
        let token = try SignedToken(field)
        guard token.isSigned(by: try await appCheck.keys.key(token.keyID)) else {
            throw TokenFault("the App Check token's signature does not hold")
        }
        let audience = token.claims["aud"]?.array?.compactMap(\.string) ?? []
        guard audience.contains("projects/\(appCheck.project)"),
            token.claims["iss"]?.string == "https://firebaseappcheck.googleapis.com/\(appCheck.project)"
        else { throw TokenFault("the App Check token is for another project") }
        guard let expires = token.claims["exp"]?.double, Double(now()) < expires + Double(IdentityToken.skew),
            !(token.claims["sub"]?.string ?? "").isEmpty
        else { throw TokenFault("the App Check token has expired, or names no app") }
    }
}
