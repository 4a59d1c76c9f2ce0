/*
 * Layers of neural networks.
 * An op adds itself to the current computation and returns its result, NULL on failure. The
 * result's shape is inferred: output_dims and output_shape may be undefined (size -1) where the
 * comment does not give them a meaning of their own. value_id may be NULL.
 * window_dims, strides, dilations, paddings_front and paddings_back have one entry for each spatial
 * dimension, the outermost first. Vectors by channel have one element for each channel. An axis may
 * be negative where it is signed.
 * Recurrent layers: input [T, N, I] for T steps, N samples and D directions; W [D, gates *
 * hidden_size, I] and R [D, gates * hidden_size, hidden_size] in ODLA_RNN_LDGOI, weight_dims being
 * W's shape; B [D, gates * hidden_size], both biases added up, or NULL; sequence_lens [N], NULL:
 * all T; initial states [D, N, hidden_size], NULL: zeros.
 */
#ifndef ODLA_IPU_OPS_ODLA_OPS_NN_H
#define ODLA_IPU_OPS_ODLA_OPS_NN_H

#include <ODLA/odla_common.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Order of dimensions. Activations: ODLA_CHANNELS_*. Kernels: S spatial dimensions, I input
 * channels, O output channels.
 */
typedef enum {
  ODLA_CHANNELS_FIRST = 0,
  ODLA_CHANNELS_LAST = 1,
  ODLA_SIO = 2,
  ODLA_SOI = 3,
  ODLA_OIS = 4,
  ODLA_IOS = 5,
} odla_memory_layout;

/** The order in which steps are taken; results keep the input's order. */
typedef enum {
  ODLA_RNN_FORWARD = 0,
  ODLA_RNN_REVERSE = 1,
  ODLA_RNN_BIDIRECTIONAL = 2,
} odla_rnn_direction;

/** The last states that are returned after the states of all steps. */
typedef enum {
  ODLA_RNN_NO_STATE = 0,
  ODLA_RNN_HIDDEN_STATE = 1,
  ODLA_RNN_CELL_STATE = 2,
  ODLA_RNN_HIDDEN_CELL_STATE = 3,
} odla_rnn_outputs;

/** How the losses of elements are put together. */
typedef enum {
  ODLA_REDUCE_NONE = 0,
  ODLA_REDUCE_MEAN = 1,
  ODLA_REDUCE_SUM = 2,
} odla_reduction_mode;

/** Order of a weight's dimensions: L layer, D direction, G gate, O output, I input. */
typedef enum {
  ODLA_RNN_LDGOI = 0,
  ODLA_RNN_LDIGO = 1,
} odla_rnn_weight_format;

/** Order of gates: I input, O output, F forget, C cell; U update, R reset, O hidden. */
typedef enum {
  ODLA_RNN_IOFC = 0,
  ODLA_RNN_IFCO = 1,
  ODLA_RNN_IFOC = 2,
  ODLA_RNN_ICOF = 3,
  ODLA_RNN_URO = 4,
} odla_rnn_gate_order;

/** Counts of n-grams, the weights of those present, or counts times weights. */
typedef enum {
  ODLA_TFIDF_TF = 0,
  ODLA_TFIDF_IDF = 1,
  ODLA_TFIDF_TFIDF = 2,
} odla_tf_idf_mode;

/**
 * Mean of each window. padding_included divides by the whole window, else by the elements of it
 * that lie in the input.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_AveragePool(
    odla_value input, odla_memory_layout input_layout, const odla_uint32* window_dims,
    const odla_uint32* strides, const odla_uint32* paddings_front,
    const odla_uint32* paddings_back, odla_bool padding_included, odla_value_shape output_dims,
    const odla_value_id value_id);

/** 1 at the first largest element along axis, 0 elsewhere. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Hardmax(
    odla_value input, odla_int32 axis, const odla_value_id value_id);

/**
 * input / (bias + alpha / window_size * sum of squares over window_size neighbouring
 * channels)^beta.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_LRN(
    odla_value input, odla_memory_layout input_layout, odla_int32 window_size,
    odla_float32 alpha, odla_float32 beta, odla_float32 bias, const odla_value_id value_id);

/**
 * (input - mean) / sqrt(var + epsilon) * scale + offset by channel. scale and offset may be NULL:
 * scalar_scale and scalar_offset serve instead.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_BatchNormalization(
    odla_value input, odla_memory_layout input_layout, odla_value mean, odla_value var,
    odla_float32 epsilon, odla_value scale, odla_value offset, odla_float32 scalar_scale,
    odla_float32 scalar_offset, const odla_value_id value_id);

/** max(0, x) + min(0, alpha * (e^(x / alpha) - 1)). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Celu(
    odla_value input, odla_float32 alpha, const odla_value_id value_id);

/**
 * Convolution (cross-correlation) in group groups of channels. bias may be NULL, else it has one
 * element for each output channel. Where output_dims is larger than the formula gives, the padding
 * at the back grows.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Conv(
    odla_value input, odla_memory_layout input_layout, odla_uint32 group, odla_value kernel,
    odla_memory_layout kernel_layout, const odla_uint32* strides, const odla_uint32* dilations,
    const odla_uint32* paddings_front, const odla_uint32* paddings_back, odla_value bias,
    odla_value_shape output_dims, const odla_value_id value_id);

/**
 * Transposed convolution; paddings crop the result. bias as in odla_Conv. Where output_dims is
 * larger than the formula gives, the excess is output padding at the back.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_DeConv(
    odla_value input, odla_memory_layout input_layout, odla_uint32 group, odla_value kernel,
    odla_memory_layout kernel_layout, const odla_uint32* strides, const odla_uint32* dilations,
    const odla_uint32* paddings_front, const odla_uint32* paddings_back, odla_value bias,
    odla_value_shape output_dims, const odla_value_id value_id);

/** x where x >= 0, else alpha * (e^x - 1). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Elu(
    odla_value input, odla_float32 alpha, const odla_value_id value_id);

/** x times the normal distribution function of x; use_approx takes the tanh formula. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Gelu(
    odla_value input, odla_bool use_approx, const odla_value_id value_id);

/**
 * Gated recurrent unit; gate_order is ODLA_RNN_URO. Results: all hidden states [T, D, N, H], then
 * the last one [D, N, H] when outputs asks for it. linear_before_reset applies the reset gate after
 * the recurrent product.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_GRU(
    odla_value input, odla_rnn_weight_format weight_format, odla_rnn_gate_order gate_order,
    odla_value_shape weight_dims, odla_value W, odla_value R, odla_value B,
    odla_value sequence_lens, odla_value initial_h, odla_int32 hidden_size,
    odla_rnn_direction direction, odla_bool linear_before_reset, odla_rnn_outputs outputs,
    const odla_value_ids value_id);

/** max(0, min(1, alpha * x + beta)). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_HardSigmoid(
    odla_value input, odla_float32 alpha, odla_float32 beta, const odla_value_id value_id);

/**
 * Normalises the mean and variance of each block of channels, then scale and offset by channel.
 * Either may be NULL: scalar_scale and scalar_offset serve instead.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_GroupNormalization(
    odla_value input, odla_memory_layout input_layout, odla_int32 groups, odla_float32 epsilon,
    odla_value scale, odla_value offset, odla_float32 scalar_scale, odla_float32 scalar_offset,
    const odla_value_id value_id);

/**
 * Normalises the mean and variance of each channel of each sample, then scale and offset by
 * channel. Either may be NULL: scalar_scale and scalar_offset serve instead.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_InstanceNormalization(
    odla_value input, odla_memory_layout input_layout, odla_float32 epsilon, odla_value scale,
    odla_value offset, odla_float32 scalar_scale, odla_float32 scalar_offset,
    const odla_value_id value_id);

/**
 * input / (Lp norm over the axes), p being 1 or 2, times scale; NULL: 1. epsilon is added to the
 * sum before the root.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_LpNormalize(
    odla_value input, odla_int32 p, odla_memory_layout input_layout, odla_size_t axes_size,
    const odla_int32* axes, odla_float32 epsilon, odla_value scale,
    const odla_value_id value_id);

/** x where x >= 0, else alpha * x. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_LeakyRelu(
    odla_value input, odla_float32 alpha, const odla_value_id value_id);

/** Logarithm of odla_Softmax. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_LogSoftmax(
    odla_value input, odla_int32 axis, const odla_value_id value_id);

/**
 * Long short-term memory. Results: all hidden states [T, D, N, H], then the last hidden and cell
 * states [D, N, H] as outputs asks for. P, the peepholes in the order i, o, f, may be NULL.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_LSTM(
    odla_value input, odla_rnn_weight_format weight_format, odla_rnn_gate_order gate_order,
    odla_value_shape weight_dims, odla_value W, odla_value R, odla_value B,
    odla_value sequence_lens, odla_value initial_h, odla_value initial_c, odla_value P,
    odla_int32 hidden_size, odla_rnn_direction direction, odla_rnn_outputs outputs,
    const odla_value_ids value_ids);

/** Largest element of each window; padding never wins. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_MaxPool(
    odla_value input, odla_memory_layout input_layout, const odla_uint32* window_dims,
    const odla_uint32* strides, const odla_uint32* paddings_front,
    const odla_uint32* paddings_back, odla_value_shape output_dims,
    const odla_value_id value_id);

/**
 * -input at the class that gt names, times weight of the class (NULL: 1); the class ignored counts
 * 0. MEAN divides by the sum of the weights.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_NegativeLogLikeliHoodLoss(
    odla_value input, odla_value gt, odla_int32 ignored, odla_reduction_mode reduction,
    odla_value weight, odla_value_shape output_shape, odla_value_id value_id);

/**
 * Non-maximum suppression of boxes [B, n, 4] (corners) with scores [B, classes, n]: at most
 * max_num_outputs for each class. Rows of the result are (batch, class, box); rows that are not
 * used hold -1.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_NMS(
    odla_value boxes, odla_value scores, odla_uint32 max_num_outputs,
    odla_float32 iou_threshold, odla_float32 score_threshold, odla_value_type output_value_type,
    const odla_value_id value_id);

/** x where x >= 0, else slope * x; slope broadcasts to input. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_PRelu(
    odla_value input, odla_value slope, const odla_value_id value_id);

/** max(x, 0). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Relu(odla_value input, const odla_value_id value_id);

/**
 * Recurrent network with tanh. Results: all hidden states [T, D, N, H], then the last one [D, N, H]
 * when outputs asks for it.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_RNN(
    odla_value input, odla_rnn_weight_format weight_format, odla_value_shape weight_dims,
    odla_value W, odla_value R, odla_value B, odla_value sequence_lens, odla_value initial_h,
    odla_int32 hidden_size, odla_rnn_direction direction, odla_rnn_outputs outputs,
    const odla_value_ids value_id);

/**
 * Means of bilinear samples in each cell of the regions rois [R, 4] (x1, y1, x2, y2, times scale).
 * sampling_ratio samples for each cell and direction; 0 adapts them to its size.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ROIAlign(
    odla_value input, odla_memory_layout input_layout, odla_value rois,
    odla_int32 sampling_ratio, odla_float32 scale, odla_value_shape output_dim,
    const odla_value_id value_id);

/**
 * Largest element in each of win_h x win_w cells of the regions rois [R, 4], whose corners are
 * multiplied by scale.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ROIMaxPool(
    odla_value input, odla_memory_layout input_layout, odla_value rois, odla_int32 win_h,
    odla_int32 win_w, odla_float32 scale, odla_value_shape output_dim,
    const odla_value_id value_id);

/** gamma * (x where x > 0, else alpha * (e^x - 1)). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Selu(
    odla_value input, odla_float32 alpha, odla_float32 gamma, const odla_value_id value_id);

/** x + bias below -lambd, x - bias above lambd, 0 between. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Shrink(
    odla_value input, odla_float32 bias, odla_float32 lambd, const odla_value_id value_id);

/** 1 / (1 + e^-x). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Sigmoid(
    odla_value input, const odla_value_id value_id);

/** e^x / sum of e^x along one axis. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Softmax(
    odla_value input, odla_int32 axis, const odla_value_id value_id);

/** ln(1 + e^x). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Softplus(
    odla_value input, const odla_value_id value_id);

/** x / (1 + |x|). */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_Softsign(
    odla_value input, const odla_value_id value_id);

/**
 * Counts the n-grams of pool in each row of input. gram_counts holds where the n-grams of each
 * length start in pool, output_indices the column of each; weights may be NULL: 1.
 */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_TFIDFVectorize(
    odla_value input, odla_int32 min_gram_length, odla_int32 max_gram_length,
    odla_int32 max_skip_count, odla_tf_idf_mode mode, odla_value pool, odla_value gram_counts,
    odla_value output_indices, odla_value weights, odla_value_shape output_shape,
    odla_value_id value_id);

/** x where x > alpha, else 0. */
ODLA_API_EXPORT odla_value ODLA_API_CALL odla_ThresholdedRelu(
    odla_value input, odla_float32 alpha, const odla_value_id value_id);

/**
 * The K largest (or smallest) elements along axis and their indices: two results, of the element
 * types of both output types. sorted puts the best first; among equals the lower index.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_TopK(
    odla_value input, odla_uint32 K, odla_bool largest, odla_bool sorted, odla_uint32 axis,
    odla_value_type output_value_type, odla_value_type output_value_index_type,
    const odla_value_ids value_ids);

/**
 * YOLOv3: decodes the feature maps of three scales and keeps the best boxes of each class. Two
 * results for one id: rows (ymin, xmin, ymax, xmax, score) of each class, and their numbers.
 */
ODLA_API_EXPORT odla_values ODLA_API_CALL odla_PostProcess(
    odla_value orig_img_w, odla_value orig_img_h, odla_value bb13, odla_value bb26,
    odla_value bb52, const odla_value_id value_id);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ODLA_IPU_OPS_ODLA_OPS_NN_H */
