internal import Torch

/// Moves the weights of groups to where they are used, into one of a few slots.
protocol WeightTransfer: AnyObject, Sendable {
    /// How many groups may be there at once.
    var slots: Int { get }
    /// Loads a group, on the thread that does nothing else.
    ///
    /// - Returns: bytes moved into the slot, and bytes read from files.
    func load(_ group: Int, into slot: Int) throws -> (moved: Int, read: Int)
    /// The weights of a group that was loaded, on the thread that computes.
    func open(_ group: Int, in slot: Int) throws -> [StoredWeight]
    /// Ends the use of a group, on the thread that computes.
    func close(_ group: Int, in slot: Int) throws
    /// Waits until nothing is under way any more; called when no group is open.
    func settle() throws
}
