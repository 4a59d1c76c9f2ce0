"""ONNX's own node tests, as the installed version makes them, through the whole stack."""

import dataclasses
from pathlib import Path

import onnx
import pytest
from onnx.backend.test.loader import load_model_tests
from onnx_node_cases import check, check_all, tensors
from onnx_node_gaps import reason

REPRESENTATIVE = """
abs acos add_bcast and_bcast4v3d argmax_default_axis_example argmin_negative_axis_keepdims_random
attention_4d_expanded averagepool_2d_ceil averagepool_2d_pads_count_include_pad
averagepool_2d_same_lower averagepool_3d_default averagepool_2d_dilations basic_conv_with_padding
convinteger_without_padding batchnorm_epsilon bitshift_left_uint8 cast_FLOAT16_to_FLOAT
cast_DOUBLE_to_FLOAT ceil celu clip_default_min compress_1 concat_3d_axis_negative_1 constant
conv_with_autopad_same conv_with_strides_and_asymmetric_padding convtranspose
convtranspose_autopad_same convtranspose_dilations convtranspose_output_shape convtranspose_pad
cumsum_1d_reverse_exclusive cumsum_2d_axis_1 depthtospace_crd_mode_example dequantizelinear_axis
div_int32_trunc dropout_default_mask dynamicquantizelinear edge_pad elu equal_bcast erf
expand_dim_changed eyelike_with_dtype flatten_negative_axis1 gather_2d_indices
gather_elements_negative_indices gather_negative_indices gathernd_example_int32_batch_dim1
gelu_tanh_1 gemm_all_attributes gemm_default_vector_bias globalaveragepool globalmaxpool
greater_equal_bcast group_normalization_example gru_defaults gru_with_initial_bias gru_seq_length
hardmax_negative_axis hardsigmoid hardswish if instancenorm_epsilon isinf_positive isnan
l2normalization_axis_0 layer_normalization_3d_axis1_epsilon layer_normalization_2d_axis_negative_1
layer_normalization_4d_axis2 leakyrelu less_equal log logsoftmax_axis_1 loop11 lppool_2d_pads lrn
lrn_default lstm_defaults lstm_with_initial_bias lstm_with_peepholes lstm_batchwise matmul_4d
matmulinteger max_example max_int64 maxpool_2d_ceil_output_size_reduce_by_one maxpool_2d_dilations
maxpool_2d_same_upper maxpool_2d_uint8 maxpool_3d_dilations mean_example min_uint8 mish
mod_int64_fmod mod_mixed_sign_int8 mul_bcast mvn neg nonmaxsuppression_single_box nonzero_example
not_2d onehot_negative_indices onehot_with_negative_axis or4d pow_bcast_array
pow_types_int64_float32 prelu_broadcast qlinearconv quantizelinear_axis
range_int32_type_negative_delta reciprocal reduce_l1_keep_dims_random
reduce_l2_negative_axes_keep_dims_random reduce_log_sum_exp_keepdims_random reduce_max_empty_set
reduce_mean_default_axes_keepdims_random reduce_min_bool_inputs reduce_sum_empty_axes_input_noop
reduce_sum_square_keepdims_example reflect_pad relu reshape_allowzero_reordered
reshape_zero_and_negative_dim resize_downsample_scales_cubic_antialias
resize_downsample_scales_linear_align_corners resize_tf_crop_and_resize
resize_upsample_scales_cubic_asymmetric resize_upsample_sizes_nearest_floor_align_corners
resize_upsample_scales_linear_align_corners reversesequence_time
rms_normalization_3d_axis1_epsilon rnn_seq_length round scatternd selu shape_start_negative_1
shrink_soft sigmoid sign simple_rnn_batchwise size slice_negative_axes slice_neg_steps
softmax_axis_0 softmax_large_number softplus softsign spacetodepth split_1d_uneven_split_opset18
split_zero_size_splits_opset13 sqrt squeeze_negative_axes sub_uint8 sum_two_inputs swish tan tanh
thresholdedrelu tile_precomputed top_k_smallest transpose_all_permutations_3 tril_neg triu_zero
unique_sorted_with_axis unsqueeze_unsorted_axes upsample_nearest where_example wrap_pad
xor_bcast4v2d
dft_irfft dft_inverse stft_with_window melweightmatrix gridsample_bicubic roialign_mode_max
gridsample_volumetric_bilinear_align_corners_1 quantizelinear_blocked_asymmetric scan_sum
dequantizelinear_blocked tensorscatter_circular bitshift_right_int8_negative_input
attention_4d_causal_bf16 cast_FLOAT_to_BFLOAT16 mod_float_edge_cases_fmod_0_float32
affine_grid_2d attention_4d_gqa_with_past_and_present bitwise_not_2d center_crop_pad_crop_and_pad
col2im_pads cumprod_1d_reverse_exclusive gridsample_reflection_padding hannwindow
maxpool_with_argmax_2d_precomputed_strides maxunpool_export_with_output_shape
nllloss_NCd1d2_with_weight_reduction_sum_ii nonmaxsuppression_identical_boxes
roialign_aligned_false rotary_embedding_interleaved scatter_elements_with_duplicate_indices
scatter_elements_with_reduction_max sce_mean_weight_ii_3d_log_prob swiglu
tfidfvectorizer_tf_batch_onlybigrams_skip5
""".split()  # noqa: SIM905
"""Names without "test_", at least one of each family, some gaps among them."""


@pytest.fixture(scope="module")
def cases():
    return {case.name: loaded(case) for case in load_model_tests(kind="node")}


def loaded(case):
    """The case with model and data; older versions of onnx keep them in files."""
    if case.model is not None:
        return case
    folder = Path(case.model_dir)
    data = []
    for one in sorted(folder.glob("test_data_set_*")):
        files = {file.name: file.read_bytes() for file in one.glob("*.pb")}
        data.append(tensors(files))
    return dataclasses.replace(case, model=onnx.load(str(folder / "model.onnx")), data_sets=data)


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_representative(name, cases, device, request):
    case = cases.get(f"test_{name}")
    if case is None:
        pytest.skip(f"onnx {onnx.__version__} has no such test")
    why = reason(case)
    if why:
        request.applymarker(pytest.mark.xfail(strict=True, reason=why))
    check(case, device)


@pytest.mark.slow
@pytest.mark.skipif(
    tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 20),
    reason="the gaps are listed for the tests of onnx 1.20 and later",
)
def test_all(cases, device):
    """Every node test; exactly the known gaps fail."""
    check_all(cases.values(), device)
