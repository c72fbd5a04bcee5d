// Defines the names that Hugging Face's checkpoints give to parameters, where they differ from mamba-ssm's names.
#ifndef KRAIT_IO_NAMES_HPP
#define KRAIT_IO_NAMES_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <string_view>

#include "krait/core/platform.hpp"

namespace krait::detail::inline KRAIT_BUILD {

// The names of the embedding and of the output head in mamba-ssm's checkpoints.
inline constexpr std::string_view embedding_name = "backbone.embedding.weight";
inline constexpr std::string_view head_name = "lm_head.weight";

// Returns the name that Hugging Face's checkpoints (transformers, MambaForCausalLM and Mamba2ForCausalLM) give to a parameter.
// `name` is its name in mamba-ssm's checkpoints.
constexpr std::string_view hugging_face_name(std::string_view name) noexcept {
  return name == embedding_name ? "backbone.embeddings.weight" : name;
}

}  // namespace krait::detail::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
