@testable import Flux2
import Testing
@testable import Torch

#if os(Linux)
    @Suite("The pool of memory")
    struct MemoryPoolTests {
        /// A pool and the heap that tells what it holds, with the same pieces in both.
        private final class Pair {
            let pool: MemoryPool
            let heap: PieceHeap
            private var pieces: [(real: UnsafeMutableRawPointer, told: PieceHeap.Piece)] = []

            init(limit: Int) throws {
                pool = try #require(MemoryPool(limit: limit))
                heap = PieceHeap(limit: limit)
            }

            var count: Int { pieces.count }

            func take(_ bytes: Int) throws {
                pieces.append((try #require(pool.take(bytes)), heap.take(bytes)))
            }

            func give(_ index: Int) {
                let piece = pieces.remove(at: index)
                pool.give(piece.real)
                heap.give(piece.told)
            }

            func setLimit(_ bytes: Int) {
                pool.setLimit(bytes)
                heap.setLimit(bytes)
            }

            func beginStage() {
                pool.resetPeaks()
                heap.beginStage()
            }

            var agrees: Bool {
                let use = pool.usage
                return (use.live, use.held) == (heap.live, heap.held)
                    && (use.peakLive, use.peakHeld) == heap.peak
            }
        }

        @Test(arguments: [1, 2, 3])
        func holdsWhatTheHeapForetells(seed: UInt64) throws {
            var random = Numbers(state: seed)
            let pair = try Pair(limit: 24 << 20)
            for step in 0..<4000 {
                switch random.next() % 100 {
                case 0: pair.setLimit(Int(4 + random.next() % 30) << 20)
                case 1: pair.beginStage()
                case 2...50 where pair.count > 0:
                    pair.give(Int(random.next() % UInt64(pair.count)))
                default:
                    // Few sizes, so that holes fit exactly now and then.
                    let size = (1 << 20) + Int(random.next() % 40) * 777_777
                    try pair.take(size)
                }
                try #require(pair.agrees, "after step \(step)")
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
