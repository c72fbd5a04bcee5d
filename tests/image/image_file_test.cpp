// Tests images in files, which are opened by their path in one call, or read and then viewed.
#include "krait/image_file.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "../unit/folder.hpp"
#include "krait/init.hpp"

using krait::Problem, krait::Status;

namespace {

using Model = krait::Mamba<krait::resolve({.vocab_size = 7, .d_model = 5, .n_layers = 1})>;
using OtherModel = krait::Mamba<krait::resolve({.vocab_size = 7, .d_model = 6, .n_layers = 1})>;

std::unique_ptr<krait::Image<Model>> image_of(std::uint64_t seed) {
  auto image = std::make_unique<krait::Image<Model>>();
  krait::init(krait::key(seed), image->model);
  krait::write_image(image->model, *image);
  return image;
}
bool holds(const krait::ImageFile<Model>& file, const krait::Image<Model>& image) {
  return file.is_open() && file.fingerprint() == image.header.fingerprint &&
         std::memcmp(&file.model(), &image.model, sizeof(Model)) == 0;
}

}  // namespace

TEST_CASE("an ImageFile opens an image by its path, may open another image, and keeps its model if it is moved") {
  const Folder folder;
  const auto first = image_of(1), second = image_of(2);
  REQUIRE(krait::write_file(first->bytes(), folder.path / "first").ok());
  REQUIRE(krait::write_file(second->bytes(), folder.path / "second").ok());

  krait::ImageFile<Model> file;
  CHECK(!file.is_open());
  REQUIRE(file.open(folder.path / "first").ok());
  CHECK(holds(file, *first));
  REQUIRE(file.open(folder.path / "second").ok());
  CHECK(holds(file, *second));

  const Model* model = &file.model();
  krait::ImageFile<Model> moved(std::move(file));
  CHECK((holds(moved, *second) && &moved.model() == model));
  CHECK(!file.is_open());
  file = std::move(moved);
  CHECK((holds(file, *second) && &file.model() == model));
  static_assert(!std::is_copy_constructible_v<krait::ImageFile<Model>>);
}

TEST_CASE("an ImageFile keeps the old content if its file is replaced while it is open") {
  const Folder folder;
  const auto first = image_of(1), second = image_of(2);
  REQUIRE(krait::write_file(first->bytes(), folder.path / "image").ok());
  krait::ImageFile<Model> file;
  REQUIRE(file.open(folder.path / "image").ok());
  REQUIRE(krait::write_file(second->bytes(), folder.path / "image").ok());
  CHECK(holds(file, *first));
}

TEST_CASE("an ImageFile does not change if open fails") {
  const Folder folder;
  const auto image = image_of(3);
  REQUIRE(krait::write_file(image->bytes(), folder.path / "image").ok());
  REQUIRE(krait::write_file(image->bytes().first(100), folder.path / "short").ok());
  REQUIRE(krait::write_file({}, folder.path / "empty").ok());
  krait::ImageFile<Model> file, unopened;
  REQUIRE(file.open(folder.path / "image").ok());
  for (const auto& [name, problem] : {std::pair{"absent", Problem::cannot_read}, {"", Problem::cannot_read},
                                      {"empty", Problem::cannot_read}, {"short", Problem::truncated}}) {
    CAPTURE(name);
    CHECK(file.open(folder.path / name).problem == problem);
    CHECK(unopened.open(folder.path / name).problem == problem);
    CHECK((holds(file, *image) && !unopened.is_open()));
  }
  krait::ImageFile<OtherModel> other;
  CHECK(other.open(folder.path / "image").problem == Problem::other_model);
  CHECK(std::string(file.open(folder.path / "absent").message()) ==
        (folder.path / "absent").string() + ": file cannot be read: found No such file or directory, wanted a readable file that is not empty");
}

TEST_CASE("view_image accepts the FileBytes that read_file has read") {
  const Folder folder;
  const auto image = image_of(4);
  REQUIRE(krait::write_file(image->bytes(), folder.path / "image").ok());
  krait::FileBytes bytes;
  const krait::Image<Model>* view = nullptr;
  REQUIRE(krait::read_file(folder.path / "image", bytes).ok());
  REQUIRE(krait::view_image(bytes, view).ok());
  CHECK(std::memcmp(&view->model, &image->model, sizeof(Model)) == 0);
}

TEST_CASE("the error for an image at an unaligned address names the ways to align it") {
  const auto image = image_of(5);
  std::vector<std::byte> bytes(image->bytes().size() + 64);
  const std::size_t beyond = reinterpret_cast<std::uintptr_t>(bytes.data()) % 64;
  const std::size_t at = (64 - beyond) % 64 + 16;
  const krait::Image<Model>* view = nullptr;
  const Status status = krait::view_image(std::span(bytes).subspan(at, image->bytes().size()), view);
  CHECK(std::string(status.message().c_str()) ==
        "image: address is not aligned: found 16 bytes after a multiple of 64, wanted a multiple of 64: use krait::ImageFile, "
        "krait::FileBytes or alignas(64)");
  CHECK(view == nullptr);
}
