import Testing
import Torch

// A pool is for a whole process, so each test has one of its own.
#if os(Linux) && compiler(>=6.2)
    extension TorchTests {
        @Suite("Tensors from a pool of memory", .serialized)
        struct Pool {
            @Test func largeTensorsAreCounted() async {
                await #expect(processExitsWith: .success) {
                    HostMemory.installPool()
                    let pool = try #require(HostMemory.pool)
                    var large: Tensor? = try Tensor.full([1 << 20], 2)
                    let small = try Tensor.full([1 << 10], 3)
                    #expect(pool.usage.live == 4 << 20)
                    #expect(try large?.sum().item() == 2 * 1_048_576)
                    #expect(try small.sum().item() == 3 * 1024)
                    large = nil
                    #expect(pool.usage.live == 0 && pool.usage.held == 4 << 20)
                }
            }

            @Test func whatCameBeforeThePoolGoesBackToWhereItCameFrom() async {
                await #expect(processExitsWith: .success) {
                    var before: Tensor? = try Tensor.zeros([1 << 20])
                    HostMemory.installPool()
                    let sum = try before.map { try $0 + 1 }?.sum().item()
                    before = nil
                    #expect(sum == 1_048_576)
                    #expect(HostMemory.pool?.usage.live == 0)
                }
            }

            @Test func nothingFreeIsKeptWhereMemoryIsScarce() async {
                await #expect(processExitsWith: .success) {
                    HostMemory.installPool()
                    let pool = try #require(HostMemory.pool)
                    _ = try Tensor.zeros([1 << 22]).sum().item()
                    #expect(pool.usage.held == 16 << 20)
                    try HostMemory.trimmingPool {
                        #expect(pool.usage.held == 0)
                        _ = try Tensor.zeros([1 << 22]).sum().item()
                        #expect(pool.usage.held == 0 && pool.usage.peakHeld == 16 << 20)
                    }
                }
            }

            @Test func anAbsurdAllocationIsOutOfMemory() async {
                await #expect(processExitsWith: .success) {
                    HostMemory.installPool()
                    let error = try #require(throws: TorchError.self) {
                        try Tensor.empty([1 << 46])
                    }
                    #expect(error.reason == .outOfMemory)
                }
            }

            @Test func severalThreadsTakeAndGiveAtOnce() async {
                await #expect(processExitsWith: .success) {
                    HostMemory.installPool()
                    try await withThrowingTaskGroup(of: Bool.self) { group in
                        for value in 1...4 {
                            group.addTask {
                                for count in 0..<100 {
                                    let x = try Tensor.full(
                                        [(1 << 18) + 1000 * count], Double(value))
                                    let (low, high) = try (x.minimum().item(), x.maximum().item())
                                    guard low == Double(value), high == low else { return false }
                                }
                                return true
                            }
                        }
                        for try await isSound in group { #expect(isSound) }
                    }
                    #expect(HostMemory.pool?.usage.live == 0)
                }
            }
        }
    }
#endif
