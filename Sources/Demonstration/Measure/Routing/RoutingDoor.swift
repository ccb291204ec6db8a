/// One way to the services: nothing but the service itself, the gateway, or a data plane that somebody else wrote.
struct RoutingDoor: Sendable {
    let name: String
    let url: String
    /// The programs on the stage that carry its requests.
    let actors: [String]
    /// The migration that it carries; nil for the service itself.
    let migration: String?
}
