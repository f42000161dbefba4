internal import Torch

/// Puts the weights of units where they are used, in one of a few slots.
protocol WeightCarrier: AnyObject, Sendable {
    /// How many units may be there at once.
    var slots: Int { get }
    /// Brings a unit, on the thread that does nothing else.
    ///
    /// - Returns: bytes moved into the slot, and bytes read from files.
    func bring(_ unit: Int, into slot: Int) throws -> (moved: Int, read: Int)
    /// The weights of a unit that was brought, on the thread that computes.
    func open(_ unit: Int, in slot: Int) throws -> [StoredWeight]
    /// Ends the use of a unit, on the thread that computes.
    func close(_ unit: Int, in slot: Int) throws
    /// Waits until nothing is under way any more; called when no unit is open.
    func settle() throws
}
