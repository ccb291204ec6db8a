import ArgumentParser

/// What a data plane that is measured from its log, and the program beside it, agree on.
struct LoggedPlaneOptions: ParsableArguments {
    @Option(help: "The folder with the data plane's configuration, its routes and its socket.") var folder: String
    @Option(
        help:
            "Where the data plane tells each request, by UDP on this host; by TCP nginx says there which route it has."
    ) var logPort = 8_514

    func validate() throws {
        if !(1...65_535).contains(logPort) { throw ValidationError("--log-port is 1…65535") }
    }
}
