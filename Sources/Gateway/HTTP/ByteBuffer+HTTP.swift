import NIOCore

extension ByteBuffer {
    /// The readable bytes, for a reading that may fail.
    func reading<Value>(
        _ body: (UnsafeRawBufferPointer) throws(MessageFault) -> Value
    ) throws(MessageFault) -> Value {
        let result: Result<Value, MessageFault> = withUnsafeReadableBytes { bytes in
            do throws(MessageFault) { return .success(try body(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// What is there, at most so much; nil when nothing is.
    mutating func readSome(_ most: Int) -> ByteBuffer? {
        readableBytes == 0 ? nil : readSlice(length: Swift.min(readableBytes, most))
    }

    mutating func writeField(_ bytes: UnsafeRawBufferPointer, _ field: FieldTable.Field) {
        writeBytes(UnsafeRawBufferPointer(rebasing: bytes[field.name]))
        writeStaticString(": ")
        writeBytes(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
        writeStaticString("\r\n")
    }

    /// What stands before a chunk of so many bytes.
    mutating func writeChunkSize(_ size: Int) {
        writeString(String(size, radix: 16))
        writeStaticString("\r\n")
    }
}
