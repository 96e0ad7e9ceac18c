package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cairndb/cairn/engine"
	"github.com/cairndb/cairn/server/auth"
)

// Error is what a client is told. Code is AWS's name of the error.
type Error struct {
	Code    string
	Message string
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// fail makes an error; the word Exception at the end of its code is left out.
func fail(code, format string, args ...any) error {
	return &Error{codeOf(code), fmt.Sprintf(format, args...)}
}

// errorGroups are errors that many operations have.
var errorGroups = map[string]string{
	"common": "OperationNotPermitted UnsupportedOperation",
	"slr":    "NoManagementAccountSLRExists",
	"org":    "NotOrganizationMasterAccount InsufficientDependencyServiceAccessPermission",
}

// everywhere are the errors that every operation may have, with their HTTP status.
var everywhere = map[string]int{
	"AccessDeniedException":          http.StatusForbidden,
	"ExpiredTokenException":          http.StatusForbidden,
	"IncompleteSignature":            http.StatusForbidden,
	"InvalidSignatureException":      http.StatusForbidden,
	"UnrecognizedClientException":    http.StatusForbidden,
	"OptInRequired":                  http.StatusForbidden,
	"NotAuthorized":                  http.StatusUnauthorized,
	"UnknownOperationException":      http.StatusNotFound,
	"RequestTimeoutException":        http.StatusRequestTimeout,
	"RequestEntityTooLargeException": http.StatusRequestEntityTooLarge,
	"ThrottlingException":            http.StatusBadRequest,
	"ValidationError":                http.StatusBadRequest,
	"InvalidParameterException":      http.StatusBadRequest,
	"MalformedHttpRequestException":  http.StatusBadRequest,
	"InternalFailure":                http.StatusInternalServerError,
	"ServiceUnavailable":             http.StatusServiceUnavailable,
}

// plain are the codes that do not end in Exception.
var plain = map[string]bool{
	"IncompleteSignature": true, "OptInRequired": true, "NotAuthorized": true, "ValidationError": true, "InternalFailure": true, "ServiceUnavailable": true,
	"ChannelInsufficientPermission": true, "InvalidChannelARN": true, "ChannelUnsupportedSchema": true, "DuplicatedAuditEventId": true,
}

// codeOf completes a code.
func codeOf(name string) string {
	if plain[name] || strings.HasSuffix(name, "Exception") {
		return name
	}
	return name + "Exception"
}

// statusOf is the HTTP status of a code.
func statusOf(code string) int {
	if status, ok := everywhere[code]; ok {
		return status
	}
	return http.StatusBadRequest
}

// codesOf lists the codes of an operation's table entry.
func codesOf(op *operation) []string {
	var out []string
	for _, name := range strings.Fields(op.errors) {
		if group, ok := errorGroups[name]; ok {
			for _, name := range strings.Fields(group) {
				out = append(out, codeOf(name))
			}
			continue
		}
		if op.data && name == "ChannelNotFound" {
			out = append(out, name) // as the data service spells it
			continue
		}
		out = append(out, codeOf(name))
	}
	return out
}

// blames says which error a member of a request that is not valid is: the first of those
// that the operation has, else InvalidParameterException.
var blames = map[string]string{
	"Name":                      "InvalidTrailName",
	"TrailName":                 "InvalidTrailName",
	"trailNameList":             "InvalidTrailName",
	"EventDataStore":            "EventDataStoreARNInvalid",
	"EventDataStores":           "EventDataStoreARNInvalid",
	"Channel":                   "ChannelARNInvalid",
	"ChannelArn":                "InvalidChannelARN",
	"ResourceArn":               "ResourceARNNotValid",
	"ResourcePolicy":            "ResourcePolicyNotValid",
	"Source":                    "InvalidSource",
	"TagsList":                  "InvalidTagParameter",
	"Tags":                      "InvalidTagParameter",
	"AdvancedEventSelectors":    "InvalidEventSelectors",
	"EventSelectors":            "InvalidEventSelectors",
	"InsightSelectors":          "InvalidInsightSelectors",
	"LookupAttributes":          "InvalidLookupAttributes",
	"EventCategory":             "InvalidEventCategory",
	"MaxResults":                "InvalidMaxResults",
	"MaxQueryResults":           "InvalidMaxResults",
	"NextToken":                 "InvalidNextToken InvalidToken",
	"QueryStatus":               "InvalidQueryStatus",
	"QueryStatement":            "InvalidQueryStatement",
	"Widgets":                   "InvalidQueryStatement",
	"DeliveryS3Uri":             "InvalidS3Prefix",
	"S3BucketName":              "InvalidS3BucketName",
	"S3KeyPrefix":               "InvalidS3Prefix",
	"SnsTopicName":              "InvalidSnsTopicName",
	"KmsKeyId":                  "InvalidKmsKeyId",
	"StartTime":                 "InvalidTimeRange InvalidDateRange",
	"EndTime":                   "InvalidTimeRange InvalidDateRange",
	"ImportSource":              "InvalidImportSource",
	"CloudWatchLogsLogGroupArn": "InvalidCloudWatchLogsLogGroupArn",
	"CloudWatchLogsRoleArn":     "InvalidCloudWatchLogsRoleArn",
}

// blame turns an error of a member into one for the client.
func (op *operation) blame(e *invalid) error {
	for _, name := range strings.Fields(blames[e.member]) {
		if op.has(codeOf(name)) {
			return fail(name, "%s", e.why)
		}
	}
	return fail("InvalidParameter", "%s", e.why)
}

// wrong makes the error of a member whose value a handler does not take.
func (c *call) wrong(member, format string, args ...any) error {
	return c.op.blame(&invalid{member, fmt.Sprintf(format, args...)})
}

// told turns any error into one for the client. What is not made for clients is not told
// them: the second result is for the log.
func told(err error) (out *Error, inside error) {
	var e *Error
	var s *auth.SignatureError
	switch {
	case errors.As(err, &e):
		return e, nil
	case errors.As(err, &s):
		return &Error{s.Code, s.Message}, nil
	case errors.Is(err, auth.ErrDenied):
		return &Error{"AccessDeniedException", err.Error()}, nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{"RequestTimeoutException", "the request was not finished in time"}, nil
	case errors.Is(err, engine.ErrNoSpace):
		return &Error{"ServiceUnavailable", "the disk of the lake is full; nothing was kept, try again once there is space"}, err
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrHalted):
		return &Error{"ServiceUnavailable", "the lake takes no changes now; try again"}, err
	case errors.Is(err, engine.ErrBadInput), errors.Is(err, engine.ErrLimit):
		return &Error{"InvalidParameterException", err.Error()}, nil
	case errors.Is(err, engine.ErrConflict):
		return &Error{"ConflictException", err.Error()}, nil
	case errors.Is(err, engine.ErrRefused):
		return &Error{"OperationNotPermittedException", err.Error()}, nil
	}
	return &Error{"InternalFailure", "the request could not be answered because of a fault of the server; its log has the cause"}, err
}
