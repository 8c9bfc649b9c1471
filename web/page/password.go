package page

import "github.com/gin-gonic/gin"

// Differs reports whether a new password was typed twice, and not alike. A form without the second
// field was filled in by somebody who could see what they typed: its script took the field away.
func Differs(c *gin.Context) bool {
	repeat, sent := c.GetPostForm("repeat")
	return sent && repeat != c.PostForm("new")
}
