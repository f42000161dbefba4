// What users of the library meet in its signatures comes with `import Flux2`.
@_exported public import struct FluxModels.FeatheredTiles
@_exported public import struct FluxModels.OverlappingTiles
@_exported public import Imaging
@_exported public import ModelHub
@_exported public import Torch
