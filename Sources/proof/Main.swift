import Proof

@main
struct Main {
    static func main() async { await Proof.start() }
}
