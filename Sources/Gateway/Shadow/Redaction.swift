/// What people may see of a difference: nothing that is somebody's own, or a secret.
enum Redaction {
    static let mark = "[redacted]"

    /// Parts of names of fields that hold what is nobody else's business.
    private static let names = [
        "token", "secret", "password", "authorization", "key", "email", "phone", "address", "name", "content", "cv",
    ]
    /// A word so long, with letters and digits, is taken for a token.
    private static let longestWord = 24
    /// So many digits, whatever stands between them, are taken for a telephone's number or a card's.
    private static let mostDigits = 9

    /// A value, where neither its field's name nor itself looks like somebody's own.
    static func shown(_ value: String, at path: String) -> String {
        let name = path.lowercased()
        let isSecret = shown(path: path) == mark || names.contains { name.contains($0) } || isSomebodys(value)
        return isSecret ? mark : value
    }

    /// A path, where no key in it looks like somebody's, such as an address or a number of his.
    static func shown(path: String) -> String {
        let isSomebodys = path.split(whereSeparator: { ".[]".contains($0) }).contains { part in
            part.contains("@") || part.utf8.count > 40 || part.count(where: \.isNumber) > 6
        }
        return isSomebodys ? mark : path
    }

    /// Whether a value looks like an address, a number or a token.
    private static func isSomebodys(_ value: String) -> Bool {
        if value.contains("@") { return true }
        // A fraction is a score, whatever its digits.
        if value.contains("."), Double(value) != nil { return false }
        var digits = 0
        for character in value {
            if character.isNumber {
                digits += 1
                if digits >= mostDigits { return true }
            } else if !" -()+./".contains(character) {
                digits = 0
            }
        }
        return value.split(whereSeparator: \.isWhitespace).contains { word in
            word.utf8.count >= longestWord && word.contains(where: \.isNumber) && word.contains(where: \.isLetter)
                && word.prefixMatch(of: /[0-9]{4}-[0-9]{2}-[0-9]{2}T/) == nil
        }
    }
}
