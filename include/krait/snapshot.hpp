// Defines Snapshot, the bytes of a model's state with a header that identifies the model. Restoring a snapshot continues a
// sequence later, on this machine or on another one.
//
//   krait::save_state(state, krait::fingerprint(model), snapshot);  // a Snapshot<State<Model>>; store its bytes()
//   if (krait::Status status = krait::restore_state(bytes, krait::fingerprint(model), state); !status) ...
//
// A model's fingerprint is the same in every call, so compute it once or read it from the header of the model's image.
#ifndef KRAIT_SNAPSHOT_HPP
#define KRAIT_SNAPSHOT_HPP

#include "krait/core/begin.hpp"
#ifndef KRAIT_REFUSED

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "krait/core/crc32.hpp"
#include "krait/core/status.hpp"
#include "krait/image.hpp"

namespace krait {

// SnapshotHeader is the header of a snapshot. The bytes of the state follow the header.
struct SnapshotHeader {
  // The last number is the version of the format. It is incremented whenever the memory layout of a state changes, unless the
  // size of the state changes as well, because restore_state rejects a state of another size.
  static constexpr FormatHeader wanted{{'K', 'R', 'S', 'T', 'A', 'T', 'E', '\x1A'}, native_order, 1};

  FormatHeader format;
  std::uint32_t fingerprint;  // the result of krait::fingerprint(model)
  std::uint32_t state_bytes;
  std::uint32_t checksum;  // CRC-32 of the header's members above, followed by the bytes of the state
};

// Snapshot<State> is a saved state with its header.
template <class State>
struct Snapshot {
  SnapshotHeader header;
  std::array<std::byte, sizeof(State)> state;

  KRAIT_INLINE std::span<const std::byte> bytes() const noexcept { return {reinterpret_cast<const std::byte*>(this), sizeof(*this)}; }
};

}  // namespace krait

namespace krait::check {

// snapshot_argument<Found> exists so that error messages show Found, the type of an argument.
template <class Found>
struct snapshot_argument {
  static constexpr bool is_a_number = std::is_convertible_v<Found, std::uint32_t>;
  static constexpr bool is_bytes = std::is_convertible_v<const Found&, std::span<const std::byte>>;
  static constexpr bool is_a_state = std::is_class_v<Found> && std::is_trivially_copyable_v<Found>;
};

// Checks the argument fingerprint of krait::save_state and krait::restore_state.
template <class Number>
consteval bool fingerprint() {
  static_assert(snapshot_argument<Number>::is_a_number,
                "krait: the second argument, fingerprint, must be the number that krait::fingerprint(model) returns");
  return snapshot_argument<Number>::is_a_number;
}
// These functions check the arguments of krait::save_state and krait::restore_state from left to right.
template <class State, class Number, class Out>
consteval bool save_state() {
  if constexpr (!fingerprint<Number>()) {
    return false;
  } else {
    static_assert(got_type<Out>::template wants<Snapshot<State>&>,
                  "krait::save_state(state, fingerprint, snapshot): snapshot must be a krait::Snapshot<krait::State<Model>> of the state's model");
    return std::is_same_v<Out, Snapshot<State>&>;
  }
}
template <class Bytes, class Number, class State>
consteval bool restore_state() {
  if constexpr (!snapshot_argument<Bytes>::is_bytes) {
    static_assert(snapshot_argument<Bytes>::is_bytes,
                  "krait::restore_state(bytes, fingerprint, state): bytes must be a std::span<const std::byte>, such as snapshot.bytes()");
    return false;
  } else if constexpr (!fingerprint<Number>()) {
    return false;
  } else {
    constexpr bool is_writable = std::is_lvalue_reference_v<State> && !std::is_const_v<std::remove_reference_t<State>> &&
                                 snapshot_argument<std::remove_reference_t<State>>::is_a_state;
    static_assert(is_writable, "krait::restore_state(bytes, fingerprint, state): state must be a krait::State<Model>, neither const nor a temporary");
    return is_writable;
  }
}

}  // namespace krait::check

namespace krait::detail::inline KRAIT_BUILD {

// Returns the value of SnapshotHeader::checksum for a header and a state.
inline std::uint32_t snapshot_checksum(const SnapshotHeader& header, std::span<const std::byte> state) noexcept {
  return crc32(state, crc32(std::as_bytes(std::span(&header, 1)).first(offsetof(SnapshotHeader, checksum))));
}

// Checks that `bytes` are a complete and undamaged snapshot of a model with this fingerprint, whose state has state_bytes
// bytes.
inline Status check_snapshot(std::span<const std::byte> bytes, std::uint32_t fingerprint, std::size_t state_bytes) noexcept {
  SnapshotHeader header;
  if (bytes.size() < sizeof(header))
    return {Problem::truncated, "snapshot", count(bytes.size(), " bytes"), count(sizeof(header), " bytes of header")};
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (Status status = check_format("snapshot", header.format, SnapshotHeader::wanted); !status) return status;
  if (const auto room = bytes.size() - sizeof(header); room < header.state_bytes)
    return {Problem::truncated, "snapshot", count(room, " bytes of state"), count(header.state_bytes, " bytes of state")};
  if (const auto found = snapshot_checksum(header, bytes.subspan(sizeof(header), header.state_bytes)); found != header.checksum)
    return {Problem::bad_checksum, "snapshot", count(found, ""), count(header.checksum, "")};
  if (header.fingerprint != fingerprint)
    return {Problem::other_model, "snapshot", count(header.fingerprint, " as fingerprint"), count(fingerprint, "")};
  if (header.state_bytes != state_bytes)
    return {Problem::other_model, "snapshot", count(header.state_bytes, " bytes of state"), count(state_bytes, " bytes of state")};
  return {};
}

}  // namespace krait::detail::inline KRAIT_BUILD

namespace krait::inline KRAIT_BUILD {

// save_state(state, fingerprint, snapshot) writes a state and the fingerprint of its model to a snapshot. Allocates nothing.
template <class State, class Number, class Out>
void save_state(const State& state, Number fingerprint, Out&& snapshot) noexcept {
  if constexpr (check::save_state<State, Number, Out>()) {
    snapshot.header = {.format = SnapshotHeader::wanted, .fingerprint = static_cast<std::uint32_t>(fingerprint),
                       .state_bytes = sizeof(State), .checksum = 0};
    std::memcpy(snapshot.state.data(), &state, sizeof(State));
    snapshot.header.checksum = detail::snapshot_checksum(snapshot.header, snapshot.state);
  }
}

// restore_state(bytes, fingerprint, state) checks that `bytes` are a snapshot of the model with this fingerprint and copies the
// saved state to `state`. The bytes may be unaligned and have any content. If the Status is not ok, `state` is unchanged.
// Allocates nothing.
template <class Bytes, class Number, class State>
Status restore_state(const Bytes& bytes, Number fingerprint, State&& state) noexcept {
  if constexpr (check::restore_state<Bytes, Number, State>()) {
    const std::span<const std::byte> saved = bytes;
    Status status = detail::check_snapshot(saved, static_cast<std::uint32_t>(fingerprint), sizeof(state));
    if (status) std::memcpy(static_cast<void*>(&state), saved.data() + sizeof(SnapshotHeader), sizeof(state));
    return status;
  } else {
    return {};
  }
}

}  // namespace krait::inline KRAIT_BUILD

#endif  // KRAIT_REFUSED
#include "krait/core/end.hpp"

#endif
