#pragma once

// Only seen through pointers.
namespace gloo::transport {
class Device;
class UnboundBuffer;
}  // namespace gloo::transport
