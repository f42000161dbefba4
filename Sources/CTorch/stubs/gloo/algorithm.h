// libtorch holds all of Gloo but comes without its headers. What libtorch's own header of the process
// group says about Gloo's types needs few words, which stand in these files; nothing here is called.
#pragma once
