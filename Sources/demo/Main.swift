import Demonstration

@main
struct Main {
    static func main() async { await Demonstration.start() }
}
