// Reports an error if a macro has the name of a function or a type of the public API. core/begin.hpp cannot undefine such a
// macro, because programs use the name after the include, where core/end.hpp has restored the macro. The error names the first
// such macro, and KRAIT_REFUSED is defined, so that nothing else of the library is compiled. This file has no include guard,
// because a macro may be defined between the includes of two public headers.
#ifndef KRAIT_REFUSED
#if defined(Activation)
#error "krait: `Activation` is defined as a macro: #undef it before including krait"
#elif defined(Conv1d)
#error "krait: `Conv1d` is defined as a macro: #undef it before including krait"
#elif defined(Embedding)
#error "krait: `Embedding` is defined as a macro: #undef it before including krait"
#elif defined(FileBytes)
#error "krait: `FileBytes` is defined as a macro: #undef it before including krait"
#elif defined(FilteredSampler)
#error "krait: `FilteredSampler` is defined as a macro: #undef it before including krait"
#elif defined(Gelu)
#error "krait: `Gelu` is defined as a macro: #undef it before including krait"
#elif defined(GeluTanh)
#error "krait: `GeluTanh` is defined as a macro: #undef it before including krait"
#elif defined(Image)
#error "krait: `Image` is defined as a macro: #undef it before including krait"
#elif defined(ImageFile)
#error "krait: `ImageFile` is defined as a macro: #undef it before including krait"
#elif defined(Key)
#error "krait: `Key` is defined as a macro: #undef it before including krait"
#elif defined(LastPool)
#error "krait: `LastPool` is defined as a macro: #undef it before including krait"
#elif defined(Layer)
#error "krait: `Layer` is defined as a macro: #undef it before including krait"
#elif defined(LayerNorm)
#error "krait: `LayerNorm` is defined as a macro: #undef it before including krait"
#elif defined(Linear)
#error "krait: `Linear` is defined as a macro: #undef it before including krait"
#elif defined(LoadOptions)
#error "krait: `LoadOptions` is defined as a macro: #undef it before including krait"
#elif defined(Mamba)
#error "krait: `Mamba` is defined as a macro: #undef it before including krait"
#elif defined(MambaBlock)
#error "krait: `MambaBlock` is defined as a macro: #undef it before including krait"
#elif defined(MaxPool)
#error "krait: `MaxPool` is defined as a macro: #undef it before including krait"
#elif defined(MeanPool)
#error "krait: `MeanPool` is defined as a macro: #undef it before including krait"
#elif defined(Norm)
#error "krait: `Norm` is defined as a macro: #undef it before including krait"
#elif defined(Penalties)
#error "krait: `Penalties` is defined as a macro: #undef it before including krait"
#elif defined(PositionalEmbedding)
#error "krait: `PositionalEmbedding` is defined as a macro: #undef it before including krait"
#elif defined(Problem)
#error "krait: `Problem` is defined as a macro: #undef it before including krait"
#elif defined(Relu)
#error "krait: `Relu` is defined as a macro: #undef it before including krait"
#elif defined(Residual)
#error "krait: `Residual` is defined as a macro: #undef it before including krait"
#elif defined(ResidualBlock)
#error "krait: `ResidualBlock` is defined as a macro: #undef it before including krait"
#elif defined(RmsNorm)
#error "krait: `RmsNorm` is defined as a macro: #undef it before including krait"
#elif defined(Sampler)
#error "krait: `Sampler` is defined as a macro: #undef it before including krait"
#elif defined(Scratch)
#error "krait: `Scratch` is defined as a macro: #undef it before including krait"
#elif defined(SelectiveStateSpace)
#error "krait: `SelectiveStateSpace` is defined as a macro: #undef it before including krait"
#elif defined(SelectiveStateSpaceModel)
#error "krait: `SelectiveStateSpaceModel` is defined as a macro: #undef it before including krait"
#elif defined(Session)
#error "krait: `Session` is defined as a macro: #undef it before including krait"
#elif defined(Sigmoid)
#error "krait: `Sigmoid` is defined as a macro: #undef it before including krait"
#elif defined(Silu)
#error "krait: `Silu` is defined as a macro: #undef it before including krait"
#elif defined(Snapshot)
#error "krait: `Snapshot` is defined as a macro: #undef it before including krait"
#elif defined(Stack)
#error "krait: `Stack` is defined as a macro: #undef it before including krait"
#elif defined(State)
#error "krait: `State` is defined as a macro: #undef it before including krait"
#elif defined(Status)
#error "krait: `Status` is defined as a macro: #undef it before including krait"
#elif defined(StepByLayer)
#error "krait: `StepByLayer` is defined as a macro: #undef it before including krait"
#elif defined(Storage)
#error "krait: `Storage` is defined as a macro: #undef it before including krait"
#elif defined(StridedConv1d)
#error "krait: `StridedConv1d` is defined as a macro: #undef it before including krait"
#elif defined(Tanh)
#error "krait: `Tanh` is defined as a macro: #undef it before including krait"
#elif defined(Tensor)
#error "krait: `Tensor` is defined as a macro: #undef it before including krait"
#elif defined(apply_penalties)
#error "krait: `apply_penalties` is defined as a macro: #undef it before including krait"
#elif defined(check_layer)
#error "krait: `check_layer` is defined as a macro: #undef it before including krait"
#elif defined(convert)
#error "krait: `convert` is defined as a macro: #undef it before including krait"
#elif defined(fingerprint)
#error "krait: `fingerprint` is defined as a macro: #undef it before including krait"
#elif defined(flash_bytes)
#error "krait: `flash_bytes` is defined as a macro: #undef it before including krait"
#elif defined(forward)
#error "krait: `forward` is defined as a macro: #undef it before including krait"
#elif defined(init)
#error "krait: `init` is defined as a macro: #undef it before including krait"
#elif defined(init_for_training)
#error "krait: `init_for_training` is defined as a macro: #undef it before including krait"
#elif defined(is_finite)
#error "krait: `is_finite` is defined as a macro: #undef it before including krait"
#elif defined(key)
#error "krait: `key` is defined as a macro: #undef it before including krait"
#elif defined(load)
#error "krait: `load` is defined as a macro: #undef it before including krait"
#elif defined(load_file)
#error "krait: `load_file` is defined as a macro: #undef it before including krait"
#elif defined(log_probability)
#error "krait: `log_probability` is defined as a macro: #undef it before including krait"
#elif defined(no_output)
#error "krait: `no_output` is defined as a macro: #undef it before including krait"
#elif defined(noxton)
#error "krait: `noxton` is defined as a macro: #undef it before including krait"
#elif defined(prefill)
#error "krait: `prefill` is defined as a macro: #undef it before including krait"
#elif defined(read_file)
#error "krait: `read_file` is defined as a macro: #undef it before including krait"
#elif defined(resolve)
#error "krait: `resolve` is defined as a macro: #undef it before including krait"
#elif defined(restore_state)
#error "krait: `restore_state` is defined as a macro: #undef it before including krait"
#elif defined(run_layer)
#error "krait: `run_layer` is defined as a macro: #undef it before including krait"
#elif defined(sample)
#error "krait: `sample` is defined as a macro: #undef it before including krait"
#elif defined(save)
#error "krait: `save` is defined as a macro: #undef it before including krait"
#elif defined(save_file)
#error "krait: `save_file` is defined as a macro: #undef it before including krait"
#elif defined(save_state)
#error "krait: `save_state` is defined as a macro: #undef it before including krait"
#elif defined(scratch_bytes)
#error "krait: `scratch_bytes` is defined as a macro: #undef it before including krait"
#elif defined(state_bytes)
#error "krait: `state_bytes` is defined as a macro: #undef it before including krait"
#elif defined(step)
#error "krait: `step` is defined as a macro: #undef it before including krait"
#elif defined(target_name)
#error "krait: `target_name` is defined as a macro: #undef it before including krait"
#elif defined(view_image)
#error "krait: `view_image` is defined as a macro: #undef it before including krait"
#elif defined(write_file)
#error "krait: `write_file` is defined as a macro: #undef it before including krait"
#elif defined(write_image)
#error "krait: `write_image` is defined as a macro: #undef it before including krait"
#else
#define KRAIT_NAMES_ARE_FREE
#endif
#ifdef KRAIT_NAMES_ARE_FREE
#undef KRAIT_NAMES_ARE_FREE
#else
#define KRAIT_REFUSED
#endif
#endif
