/// The numbered SQL files of this folder, in their order, carried in the program.
package enum Schema {
    /// One file: its number, its name and its exact text.
    package struct File: Sendable {
        package let number: Int64
        package let name: String
        package let bytes: [UInt8]

        package init(number: Int64, name: String, bytes: [UInt8]) {
            self.number = number
            self.name = name
            self.bytes = bytes
        }

        package var sql: String { String(decoding: bytes, as: UTF8.self) }
    }

    package static let files = [
        File(number: 1, name: "0001_log.sql", bytes: PackageResources._001_log_sql),
        File(number: 2, name: "0002_order.sql", bytes: PackageResources._002_order_sql),
        File(number: 3, name: "0003_evidence.sql", bytes: PackageResources._003_evidence_sql),
        File(number: 4, name: "0004_views.sql", bytes: PackageResources._004_views_sql),
        File(number: 5, name: "0005_texts.sql", bytes: PackageResources._005_texts_sql),
        File(number: 6, name: "0006_cold.sql", bytes: PackageResources._006_cold_sql),
        File(number: 7, name: "0007_append.sql", bytes: PackageResources._007_append_sql),
        File(number: 8, name: "0008_observed.sql", bytes: PackageResources._008_observed_sql),
        File(number: 9, name: "0009_checkpoint.sql", bytes: PackageResources._009_checkpoint_sql),
        File(number: 10, name: "0010_decided.sql", bytes: PackageResources._010_decided_sql),
        File(number: 11, name: "0011_routers.sql", bytes: PackageResources._011_routers_sql),
        File(number: 12, name: "0012_sign.sql", bytes: PackageResources._012_sign_sql),
        File(number: 13, name: "0013_streams.sql", bytes: PackageResources._013_streams_sql),
    ]
}
