// Names of parameters in checkpoints that differ from for_each_param's.
#ifndef KRAIT_IO_NAMES_HPP
#define KRAIT_IO_NAMES_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <string_view>

#include "krait/core/platform.hpp"

namespace krait::detail::inline KRAIT_BUILD {

inline constexpr std::string_view embedding_name = "backbone.embedding.weight";
inline constexpr std::string_view head_name = "lm_head.weight";

// Hugging Face's name of a parameter (transformers, MambaForCausalLM), if it differs from mamba-ssm's.
constexpr std::string_view hugging_face_name(std::string_view name) noexcept {
  return name == embedding_name ? "backbone.embeddings.weight" : name;
}

}  // namespace krait::detail::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
