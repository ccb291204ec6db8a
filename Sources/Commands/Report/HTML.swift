/// Pieces of pages.
enum HTML {
    static let style = """
        :root{--ink:#1c2430;--soft:#6a7482;--line:#d5dae1;--candidate:#0b6bcb;--legacy:#8a6d00;--asked:#0b6bcb22;--bad:#b3261e;--paper:#fff}
        @media (prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#98a2b1;--line:#39424f;--candidate:#6cb3ff;--legacy:#d9b64a;--asked:#6cb3ff22;--bad:#ff8a80;--paper:#14181e}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:64rem;margin:2rem auto;padding:0 1rem}
        h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}p{color:var(--soft)}
        table{border-collapse:collapse}td,th{padding:.15rem .9rem .15rem 0;text-align:left;border-bottom:1px solid var(--line);font-weight:400}
        th{color:var(--soft)}.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto;display:block}
        svg text{fill:var(--soft);font:11px system-ui,sans-serif}svg .name{fill:var(--ink)}
        """

    /// Text that stands for itself, whatever is in it.
    static func text(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    /// - Parameter numbers: the columns whose cells stand at the right.
    static func table(_ head: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
        func row(_ cells: [String], _ tag: String) -> String {
            "<tr>"
                + cells.enumerated().map { index, cell in
                    "<\(tag)\(numbers.contains(index) ? " class=\"n\"" : "")>\(text(cell))</\(tag)>"
                }.joined() + "</tr>"
        }
        return "<table>\(row(head, "th"))\(rows.map { row($0, "td") }.joined(separator: "\n"))</table>"
    }
}
