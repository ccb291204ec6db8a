/// The words that the rules know.
enum Lexicon {
    static let weakOpeners = [
        "responsible for", "worked on", "helped with", "helped", "assisted with", "involved in", "participated in",
        "duties included",
    ]

    static let actionVerbs: Set<String> = [
        "achieved", "analyzed", "architected", "automated", "built", "coached", "consolidated", "created", "cut",
        "defined", "delivered",
        "designed", "developed", "directed", "drove", "established", "expanded", "grew", "implemented", "improved",
        "increased", "initiated",
        "introduced", "launched", "led", "maintained", "managed", "mentored", "migrated", "negotiated", "optimized",
        "organized", "planned",
        "reduced", "redesigned", "refactored", "replaced", "resolved", "saved", "scaled", "shipped", "simplified",
        "streamlined", "supervised",
        "tested", "trained", "wrote",
        "build", "design", "develop", "lead", "manage", "maintain", "mentor", "operate", "own", "plan", "run", "write",
    ]

    static let firstPerson: Set<String> = ["i", "me", "my", "mine", "myself"]

    static let buzzwords = [
        "synergy", "go-getter", "team player", "think outside the box", "results-driven", "detail-oriented",
        "self-starter", "dynamic",
        "hard-working", "passionate", "guru", "ninja", "rockstar",
    ]

    static let passive = ["was", "were", "been", "being", "is", "are"]
}
