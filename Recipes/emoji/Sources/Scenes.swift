import FluxEvaluation

/// Which scenes are trained on, and which are kept from training to see what was understood.
struct Scenes {
    /// Every emoji by itself on white.
    let plain: [Scene]
    /// Those that change something about them.
    let varied: [Scene]
    /// Further ones, with more of them changed at once: for trainings that go on from known names.
    let further: [Scene]
    /// Combinations that no caption of the training data has.
    let heldOut: [Scene]

    /// Scenes of each kind, as shares of the number of emoji.
    private static let shares: [(kind: Kind, share: Double)] = [
        (.colored, 2.0), (.onBackground, 2.0), (.coloredOnBackground, 0.8), (.small, 0.5),
        (.aside, 0.5), (.two, 1.0), (.three, 0.5), (.beside, 1.2),
    ]
    private static let furtherShares: [(kind: Kind, share: Double)] = [
        (.colored, 1.5), (.onBackground, 0.5), (.coloredOnBackground, 3.0), (.coloredTwo, 1.0),
        (.coloredThree, 0.7), (.twoOnBackground, 1.0), (.threeOnBackground, 0.5),
    ]
    /// Of each kind, so many are held out.
    private static let heldOutShare = 0.1

    private enum Kind {
        case colored, onBackground, coloredOnBackground, small, aside, two, three, beside
        case coloredTwo, coloredThree, twoOnBackground, threeOnBackground
    }

    init(_ all: [Emoji]) {
        var chance = Chance(seed: 6)
        plain = all.indices.map { Scene(emoji: [$0]) }
        var (varied, heldOut): ([Scene], [Scene]) = ([], [])
        for (kind, share) in Self.shares {
            let scenes = Self.distinct(kind, share, all, besides: [], &chance)
            let kept = Int(Double(scenes.count) * Self.heldOutShare)
            heldOut += scenes.prefix(kept)
            varied += scenes.dropFirst(kept)
        }
        var further: [Scene] = []
        // Numbers of their own, so that they change nothing about the others.
        chance = Chance(seed: 8)
        for (kind, share) in Self.furtherShares {
            let known = Set(varied + heldOut)
            further += Self.distinct(kind, share, all, besides: known, &chance)
        }
        self.varied = varied
        self.further = further
        self.heldOut = heldOut
    }

    /// Scenes of one kind, as far as it has so many.
    private static func distinct(
        _ kind: Kind, _ share: Double, _ all: [Emoji], besides others: Set<Scene>,
        _ chance: inout Chance
    ) -> [Scene] {
        var scenes: [Scene] = []
        var known = others
        let wanted = Int(share * Double(all.count))
        for _ in 0..<20 * wanted where scenes.count < wanted {
            guard let scene = drawn(kind, all, &chance), known.insert(scene).inserted else {
                continue
            }
            scenes.append(scene)
        }
        return scenes
    }

    private static func drawn(_ kind: Kind, _ all: [Emoji], _ chance: inout Chance) -> Scene? {
        let number = Int.random(in: all.indices, using: &chance)
        let color = Palette.allCases.randomElement(using: &chance)
        var scene = Scene(emoji: [number])
        let takesColor = all[number].takesColor
        switch kind {
        case .colored:
            guard takesColor else { return nil }
            scene.color = color
        case .onBackground: scene.background = color
        case .coloredOnBackground:
            guard takesColor else { return nil }
            scene.color = color
            scene.background = Palette.allCases.filter { $0 != color }
                .randomElement(using: &chance)
        case .coloredTwo, .coloredThree:
            guard takesColor else { return nil }
            scene.color = color
            scene.layout = kind == .coloredTwo ? .two : .three
        case .twoOnBackground, .threeOnBackground:
            scene.background = color
            scene.layout = kind == .twoOnBackground ? .two : .three
        case .small: scene.layout = .small
        case .aside: scene.layout = Bool.random(using: &chance) ? .left : .right
        case .two: scene.layout = .two
        case .three: scene.layout = .three
        case .beside:
            let other = Int.random(in: all.indices, using: &chance)
            guard other != number else { return nil }
            scene.emoji.append(other)
            scene.layout = .beside
        }
        return scene
    }
}
