package import Foundation

/// A file of a data plane's configuration.
package struct PlaneFile: Sendable {
    package let url: URL
    package let data: Data
    private let isProgram: Bool

    package init(_ url: URL, _ data: Data) {
        self.init(url, data, isProgram: false)
    }

    private init(_ url: URL, _ data: Data, isProgram: Bool) {
        self.url = url
        self.data = data
        self.isProgram = isProgram
    }

    /// For so long whoever starts a data plane takes the file of its routes for what is wanted; whoever tells it says so twice a second (``PlaneAdapter/vouch(for:)``).
    private static let seconds = 3

    /// A program that starts a data plane by what is wanted, or at legacy: a file has what was told last, and whoever told it may be away, and have missed a rollback; or the data plane
    /// does not take it any more.
    ///
    /// - Parameters:
    ///   - name: what the file is written for.
    ///   - legacy: the file with the routes to begin with.
    ///   - routes: the file that the data plane reads.
    ///   - command: how it is started, a line of a shell.
    ///   - check: a line that fails where the data plane would not start with what the file has.
    static func start(_ url: URL, _ name: String, legacy: URL, routes: URL, command: String, check: String = "true")
        -> PlaneFile
    {
        let (legacy, routes, new) = (quoted(legacy.path), quoted(routes.path), quoted(routes.path + ".new"))
        // A link takes no room on a full disk, and a rename shows whoever reads it the old file or this one. Whoever tells it renames another one into its place, and so
        // never writes to legacy's.
        let text = """
            #!/bin/sh
            # \(name). Begins at legacy, unless the program beside it was there a moment ago and had written what is wanted.
            PATH=$PATH:/usr/sbin
            age=$(($(date +%s) - $(stat -c %Y \(routes) || echo 0)))
            if [ "$age" -lt 0 ] || [ "$age" -gt \(seconds) ] || ! \(check); then
                cmp -s \(legacy) \(routes) || { ln -f \(legacy) \(new) && mv -f \(new) \(routes); } || exit 1
            fi
            exec \(command) "$@"

            """
        return PlaneFile(url, Data(text.utf8), isProgram: true)
    }

    /// Says that a file is what is wanted, from now on for a moment.
    static func vouch(for url: URL) {
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: url.path)
    }

    /// A word of a shell.
    static func quoted(_ word: String) -> String { "'" + word.replacing("'", with: "'\\''") + "'" }

    /// Writes it, and the folder where there is none; who reads it meanwhile sees the old one or this.
    package func write() throws {
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url, options: .atomic)
        if isProgram { try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: url.path) }
    }
}
