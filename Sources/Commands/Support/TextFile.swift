import Foundation
import PlanFile

/// Text that people wrote, as long as it may be.
enum TextFile {
    /// - Parameter what: what it is, for messages.
    static func read(_ file: String, _ what: String) throws -> String {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        if let size = attributes?[.size] as? NSNumber, size.intValue > PlanFile.largest {
            throw Failure(.failed, "\(file): the \(what) is larger than \(PlanFile.largest / 1024) KiB")
        }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw Failure(.failed, "the file \(file) cannot be read")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw Failure(.failed, "\(file): this is not UTF-8")
        }
        return text
    }
}
