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

    /// A program that starts a data plane at legacy where the program beside it is away: one that reads its routes from a file finds there what it was told last, and whoever told it
    /// has not heard of a rollback meanwhile.
    ///
    /// - Parameters:
    ///   - name: what the file is written for.
    ///   - legacy: the file with the routes to begin with.
    ///   - routes: the file that the data plane reads.
    ///   - command: how it is started, a line of a shell.
    static func start(_ url: URL, _ name: String, legacy: URL, routes: URL, command: String) -> PlaneFile {
        let new = quoted(routes.path + ".new")
        let text = """
            #!/bin/sh
            # \(name). Begins at legacy, unless the program beside it is there, which has it begin with what the log says.
            set -e
            PATH=$PATH:/usr/sbin
            exec 9>> \(quoted(PlaneClaim.file(url.deletingLastPathComponent()).path))
            if flock -n 9; then
                cp \(quoted(legacy.path)) \(new)
                mv \(new) \(quoted(routes.path))
            fi
            exec 9>&-
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
