@testable import Flux2
import Testing
@testable import Torch

#if os(Linux)
    @Suite("The pool of memory")
    struct MemoryPoolTests {
        /// A pool, the count of one without memory, and what other code tells of both.
        private final class Trio {
            private let pool: MemoryPool
            private let counter: AllocationCounter
            private let model: PoolModel
            private var blocks: [Block] = []

            private struct Block {
                var real: UnsafeMutableRawPointer
                var counted: Tensor
                var told: PoolModel.Piece
            }

            init(limit: Int) throws {
                pool = try #require(MemoryPool(limit: limit))
                counter = AllocationCounter(standingFor: .cpu, limit: limit)
                model = PoolModel(limit: limit)
            }

            var count: Int { blocks.count }
            var held: Int { pool.usage.held }

            func take(_ bytes: Int) throws {
                try blocks.append(
                    Block(
                        real: #require(pool.take(bytes)),
                        counted: counter.counting {
                            try .empty([bytes], dtype: .uint8, device: .meta)
                        },
                        told: model.take(bytes)))
            }

            func give(_ index: Int) {
                let block = blocks.remove(at: index)
                pool.give(block.real)
                model.give(block.told)
            }

            func setLimit(_ bytes: Int) {
                pool.setLimit(bytes)
                counter.setLimit(bytes)
                model.setLimit(bytes)
            }

            func beginStage() {
                pool.resetPeaks()
                counter.resetPeaks()
                model.beginStage()
            }

            var agrees: Bool {
                [pool.usage, counter.usage].allSatisfy {
                    ($0.live, $0.held) == (model.live, model.held)
                        && ($0.peakLive, $0.peakHeld) == model.peak
                }
            }
        }

        @Test(arguments: [1, 2, 3])
        func holdsWhatOtherCodeTells(seed: UInt64) throws {
            var random = Numbers(state: seed)
            let trio = try Trio(limit: 24 << 20)
            for step in 0..<4000 {
                switch random.next() % 100 {
                case 0: trio.setLimit(Int(4 + random.next() % 30) << 20)
                case 1: trio.beginStage()
                case 2...50 where trio.count > 0:
                    trio.give(Int(random.next() % UInt64(trio.count)))
                default:
                    // Few sizes, so that holes fit exactly now and then.
                    let size = (1 << 20) + Int(random.next() % 40) * 777_777
                    try trio.take(size)
                }
                try #require(trio.agrees, "after step \(step)")
            }
        }

        #if compiler(>=6.2)
            /// In a process of its own, where no other test takes or gives.
            @Test func whatIsGivenBackLeavesTheProcess() async {
                await #expect(processExitsWith: .success) {
                    let pool = try #require(MemoryPool(limit: 8 << 20))
                    let size = 64 << 20
                    let before = HostMemory.usage().private
                    let piece = try #require(pool.take(size))
                    piece.initializeMemory(as: UInt8.self, repeating: 1, count: size)
                    #expect(HostMemory.usage().private - before > size / 2)
                    pool.give(piece)
                    #expect(HostMemory.usage().private - before < size / 2)
                    #expect(pool.usage.held == 0 && pool.usage.peakHeld == size)
                }
            }
        #endif

        @Test func whatIsKeptIsGivenOutAgain() throws {
            let pool = try #require(MemoryPool(limit: 8 << 20))
            let first = try #require(pool.take(4 << 20))
            #expect(Int(bitPattern: first) % 64 == 0)
            first.storeBytes(of: 7, as: UInt8.self)
            pool.give(first)
            let second = try #require(pool.take(3 << 20))
            #expect(second == first && second.load(as: UInt8.self) == 7)
        }

        @Test func hasNothingOfAnAbsurdSize() throws {
            let pool = try #require(MemoryPool(limit: 8 << 20))
            #expect(pool.take(1 << 46) == nil)
            #expect(pool.usage == .init())
        }

        @Test func aHoleIsUsedAgainByWhatFits() throws {
            let trio = try Trio(limit: 1 << 30)
            for size in [3, 1, 2, 1] { try trio.take(size << 20) }
            trio.give(0)
            trio.give(1)
            for size in [2, 3] { try trio.take(size << 20) }
            #expect(trio.held == 7 << 20 && trio.agrees)
        }

        @Test func holesThatMeetBecomeOne() throws {
            let trio = try Trio(limit: 1 << 30)
            for _ in 0..<4 { try trio.take(1 << 20) }
            for index in [0, 1, 0] { trio.give(index) }
            try trio.take(3 << 20)
            #expect(trio.held == 4 << 20 && trio.agrees)
        }

        @Test func largeBlocksGoBackToTheSystem() throws {
            let trio = try Trio(limit: 8 << 20)
            try trio.take(8 << 20)
            trio.give(0)
            #expect(trio.held == 0 && trio.agrees)
            try trio.take(7 << 20)
            trio.give(0)
            #expect(trio.held == 7 << 20 && trio.agrees)
        }

        /// Numbers that are the same each time.
        private struct Numbers: RandomNumberGenerator {
            var state: UInt64

            mutating func next() -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state >> 33
            }
        }
    }
#endif
