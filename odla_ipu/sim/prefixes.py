"""Prefixes of the tensor names that PopART makes: reservedGradientPrefix() and its kin.

No tensor of a model may begin with one of them.
"""

from typing import Callable, Dict

RESERVED: Dict[str, str] = {
    "reservedGradientPrefix": "Gradient___",
    "reservedUpdatedVarPrefix": "UpdatedVar___",
    "reservedAccumPrefix": "Accum___",
    "reservedAcclPrefix": "Accl___",
    "reservedAccl1Prefix": "Accl1___",
    "reservedAccl2Prefix": "Accl2___",
    "reservedAccl3Prefix": "Accl3___",
    "reservedStepPrefix": "Step___",
    "reservedAcclToReducePrefix": "AcclIntoReduce___",
    "reservedAcclToUpdatePrefix": "AcclIntoUpdate___",
    "reservedAcclFinalOutPrefix": "AcclOutOfAcclUpdate___",
    "reservedFinalReducedGradPrefix": "FinalReducedGradient___",
    "reservedAdamUpdaterPrefix": "AdamUpdater___",
    "reservedLambR1SqPrefix": "LambR1Sq___",
    "reservedLambR2SqPrefix": "LambR2Sq___",
    "reservedStashedPrefix": "Stashed___",
    "reservedRestoredPrefix": "Restored___",
    "reservedLossScalingPrefix": "lossScaling_",
    "reservedRandomSeedPrefix": "randomSeed___",
    "reservedSeedModifierPrefix": "randomSeedModifier___",
    "reservedRemoteArgPrefix": "RemoteArg___",
    "reservedDefaultWeightDecayScaleFactor0Prefix": "weightDecayScaleFactor0___default___",
    "reservedSpecificWeightDecayScaleFactor0Prefix": "weightDecayScaleFactor0___specific___",
    "reservedDefaultScaledLearningRate0Prefix": "scaledLearningRate0___default___",
    "reservedSpecificScaledLearningRate0Prefix": "scaledLearningRate0___specific___",
    "reservedDefaultScaledWeightDecay1Prefix": "scaledWeightDecay1___default___",
    "reservedSpecificScaledWeightDecay1Prefix": "scaledWeightDecay1___specific___",
    "reservedDefaultScaledLearningRate1Prefix": "scaledLearningRate1___default___",
    "reservedSpecificScaledLearningRate1Prefix": "scaledLearningRate1___specific___",
    "reservedDefaultDampeningScaleFactor1Prefix": "dampeningScaleFactor1___default___",
    "reservedSpecificDampeningScaleFactor1Prefix": "dampeningScaleFactor1___specific___",
    "reservedDefaultScaledMomentum1Prefix": "scaledMomentum1___default___",
    "reservedSpecificScaledMomentum1Prefix": "scaledMomentum1___specific___",
    "reservedDefaultLearningRatePrefix": "learningRate___default___",
    "reservedSpecificLearningRatePrefix": "learningRate___specific___",
    "reservedDefaultWeightDecayPrefix": "weightDecay___default___",
    "reservedSpecificWeightDecayPrefix": "weightDecay___specific___",
    "reservedDefaultLossScalingPrefix": "lossScaling___default___",
    "reservedSpecificLossScalingPrefix": "lossScaling___specific___",
    "reservedDefaultMaxWeightNormPrefix": "maxWeightNorm___default___",
    "reservedSpecificMaxWeightNormPrefix": "maxWeightNorm___specific___",
    "reservedAutomaticLossScalePrefix": "AutomaticLossScaleProxy___",
    "reservedDefaultAdamBeta1Prefix": "adamBeta1___default___",
    "reservedSpecificAdamBeta1Prefix": "adamBeta1___specific___",
    "reservedDefaultAdamBeta2Prefix": "adamBeta2___default___",
    "reservedSpecificAdamBeta2Prefix": "adamBeta2___specific___",
    "reservedDefaultAdamEpsPrefix": "adamEps___default___",
    "reservedSpecificAdamEpsPrefix": "adamEps___specific___",
    "reservedDefaultStepPrefix": "step___default___",
    "reservedSpecificStepPrefix": "step___specific___",
}


def _prefix_function(name: str, prefix: str) -> Callable[[], str]:
    def function() -> str:
        return prefix

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f'The prefix "{prefix}".'
    return function


FUNCTIONS: Dict[str, Callable[[], str]] = {
    name: _prefix_function(name, prefix) for name, prefix in RESERVED.items()
}
