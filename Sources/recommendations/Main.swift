import Recommendations

@main
struct Main {
    static func main() async { await RecommendationsCommand.start() }
}
