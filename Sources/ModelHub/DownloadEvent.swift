/// What a download is doing; sums count bytes of all its files.
public enum DownloadEvent: Hashable, Sendable {
    /// A file that is here already is summed up, which takes a while for a large one.
    case checking(path: String)
    /// Before the first byte: what there is to fetch, and how much of it an earlier attempt left.
    case began(files: Int, bytes: Int, present: Int)
    /// Bytes that are here by now, those of earlier attempts included.
    case received(bytes: Int)
    /// A server refused or hung up; another try follows.
    case waiting(seconds: Double, because: String)
    /// A file whose sum was wrong is fetched again.
    case damaged(path: String)
    /// A file is complete, checked and in its place.
    case finished(path: String)
}
