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

    /// A program that starts a data plane at legacy, as one does that keeps no routes: a file has what was told last, and whoever told it may be away, and have missed a rollback.
    ///
    /// - Parameters:
    ///   - name: what the file is written for.
    ///   - legacy: the file with the routes to begin with.
    ///   - routes: the file that the data plane reads.
    ///   - command: how it is started, a line of a shell.
    static func start(_ url: URL, _ name: String, legacy: URL, routes: URL, command: String) -> PlaneFile {
        let (legacy, routes, new) = (quoted(legacy.path), quoted(routes.path), quoted(routes.path + ".new"))
        // A link takes no room on a full disk, and a rename shows whoever reads it the old file or this one. Whoever tells it renames another one into its place, and so
        // never writes to legacy's.
        let text = """
            #!/bin/sh
            # \(name). Begins at legacy; the program beside it tells it again.
            PATH=$PATH:/usr/sbin
            cmp -s \(legacy) \(routes) || { ln -f \(legacy) \(new) && mv -f \(new) \(routes); } || exit 1
            exec \(command) "$@"

            """
        return PlaneFile(url, Data(text.utf8), isProgram: true)
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
