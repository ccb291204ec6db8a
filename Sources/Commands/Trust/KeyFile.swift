import Foundation
import MigrationLog

/// A private key's file: only its owner may read it.
enum KeyFile {
    static func read(_ path: String) throws -> SigningKey {
        let attributes: [FileAttributeKey: Any]
        do {
            attributes = try FileManager.default.attributesOfItem(atPath: path)
        } catch {
            throw Failure(
                .failed,
                "the key file \(path) cannot be read",
                mend: "make one: migrate keys generate \(path)"
            )
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else {
            throw Failure(.failed, "the key file \(path) can be read by others", mend: "chmod 600 \(path)")
        }
        guard let key = SigningKey(pem: try TextFile.read(path, "key")) else {
            throw Failure(
                .failed,
                "\(path) is not an Ed25519 key in PEM",
                mend: "make one: migrate keys generate FILE"
            )
        }
        return key
    }

    /// Writes a new file; one that is there is left as it is.
    static func write(_ key: SigningKey, to path: String) throws {
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.failed, "the key file \(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(key.pem.utf8))
        try handle.synchronize()
    }
}
